//! The schemas of results, as `docs/schema` publishes them, from the types that write results.
//!
//! `LOGSEAL_WRITE_SCHEMAS=1 cargo test --lib schemas` writes them anew.

use std::fs;
use std::path::Path;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::audit::Summary;
use crate::campaign::Campaign;
use crate::digests::DigestsSummary;
use crate::reconcile::Reconciliation;
use crate::settings::SettingsSummary;

fn schema_of<T: JsonSchema>() -> Value {
    SchemaSettings::draft07().for_serialize().into_generator().into_root_schema_for::<T>().to_value()
}

#[test]
fn schemas_are_those_of_the_types() {
    let schemas = [
        ("audit", schema_of::<Summary>()),
        ("plan", schema_of::<Campaign>()),
        ("digests", schema_of::<DigestsSummary>()),
        ("reconcile", schema_of::<Reconciliation>()),
        ("settings", schema_of::<SettingsSummary>()),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema");
    let is_written = std::env::var_os("LOGSEAL_WRITE_SCHEMAS").is_some();
    for (name, schema) in schemas {
        let (file, text) = (folder.join(format!("{name}.schema.json")), format!("{schema:#}\n"));
        if is_written {
            fs::create_dir_all(&folder).and_then(|()| fs::write(&file, &text)).expect("written");
        }
        let published = fs::read_to_string(&file).expect("a published schema");
        assert!(published == text, "{}: write it anew with LOGSEAL_WRITE_SCHEMAS=1", file.display());
    }
}
