//! Which management events the selectors of a trail log.

use super::Conclusion;
use crate::policy::ManagementEvents;
use crate::settings::facts::{FieldSelector, Selectors};

/// Whether selectors log the management events that are asked for.
pub(super) fn events_logged(selectors: &Selectors, demand: ManagementEvents) -> Conclusion {
    let logged = Logged::new(selectors);
    let is_enough = match demand {
        ManagementEvents::All => logged.reads && logged.writes,
        ManagementEvents::Writes => logged.writes,
        ManagementEvents::Any => logged.reads || logged.writes || logged.some,
    };
    let left_out = logged.left_out.as_deref();
    match demand {
        _ if !is_enough && logged.unclear => Conclusion::undetermined("condition_unknown"),
        _ if !is_enough && left_out.is_none() => Conclusion::violation("events_not_all"),
        ManagementEvents::Any if is_enough => Conclusion::compliant(),
        _ => match left_out {
            None => Conclusion::compliant(),
            Some("kms.amazonaws.com") => Conclusion::violation("kms_events_excluded"),
            Some(_) => Conclusion::violation("other_events_excluded"),
        },
    }
    .actual(logged.text())
}

fn is_flag(text: &str) -> bool {
    matches!(text, "true" | "false")
}

/// Whether a condition is one that CloudTrail documents for management events.
fn is_understood(field: &FieldSelector) -> bool {
    const FIELDS: [&str; 6] =
        ["eventName", "eventSource", "eventType", "readOnly", "sessionCredentialFromConsole", "userIdentity.arn"];
    const OPERATORS: [&str; 6] = ["equals", "startswith", "endswith", "notequals", "notstartswith", "notendswith"];
    FIELDS.iter().any(|name| name.eq_ignore_ascii_case(&field.field))
        && field.operators.keys().all(|operator| OPERATORS.contains(&operator.as_str()))
}

/// Which management events selectors log, all of them together.
#[derive(Default)]
struct Logged {
    reads: bool,
    writes: bool,
    /// At least some of either.
    some: bool,
    /// A service whose events are left out.
    left_out: Option<String>,
    /// Something of a selector is not understood.
    unclear: bool,
}

impl Logged {
    fn new(selectors: &Selectors) -> Self {
        let mut logged = Self::default();
        for selector in selectors.basic.iter().filter(|selector| selector.management) {
            let (reads, writes) = match selector.read_write.as_str() {
                "All" => (true, true),
                "ReadOnly" => (true, false),
                "WriteOnly" => (false, true),
                _ => {
                    logged.unclear = true;
                    (false, false)
                }
            };
            logged.add(reads, writes, selector.excluded.first().map(String::as_str));
        }
        selectors.advanced.iter().for_each(|fields| logged.advanced(fields));
        logged
    }

    /// What two selectors leave out is left out only if both do; that any does is said, which errs on the safe side.
    fn add(&mut self, reads: bool, writes: bool, excluded: Option<&str>) {
        self.some |= reads || writes;
        (self.reads, self.writes) = (self.reads || reads, self.writes || writes);
        if let Some(excluded) = excluded {
            self.left_out.get_or_insert_with(|| excluded.to_owned());
        }
    }

    fn advanced(&mut self, fields: &[FieldSelector]) {
        let only = |field: &FieldSelector, operator: &str| {
            field.operators.get(operator).filter(|_| field.operators.len() == 1).and_then(|values| {
                match values.as_slice() {
                    [value] => Some(value.clone()),
                    _ => None,
                }
            })
        };
        let is = |field: &FieldSelector, name: &str| field.field.eq_ignore_ascii_case(name);
        if fields.iter().filter(|field| is(field, "eventCategory")).count() > 1 {
            self.unclear = true;
            return;
        }
        let category = fields.iter().find(|field| is(field, "eventCategory"));
        match category.map(|field| only(field, "equals")) {
            Some(Some(category)) if category == "Management" => {}
            Some(Some(_)) => return,
            _ => {
                self.unclear = true;
                return;
            }
        }
        let (mut reads, mut writes, mut excluded, mut narrowed) = (true, true, None, false);
        for field in fields.iter().filter(|field| !is(field, "eventCategory")) {
            if is(field, "readOnly") {
                let values = field.operators.get("equals").filter(|_| field.operators.len() == 1);
                match values.map(Vec::as_slice) {
                    Some([value]) if value == "true" => writes = false,
                    Some([value]) if value == "false" => reads = false,
                    Some([one, other]) if one != other && [one, other].iter().all(|it| is_flag(it)) => {}
                    _ => (narrowed, self.unclear) = (true, true),
                }
            } else if is(field, "eventSource") && field.operators.keys().eq(["notequals"]) {
                excluded = field.operators.values().flatten().next().cloned();
            } else if is_understood(field) {
                // Any other field narrows what is logged.
                narrowed = true;
            } else {
                (narrowed, self.unclear) = (true, true);
            }
        }
        if narrowed {
            self.some |= !self.unclear;
            return;
        }
        self.add(reads, writes, excluded.as_deref());
    }

    fn text(&self) -> String {
        let events = match (self.reads, self.writes) {
            (true, true) => "reads and writes",
            (true, false) => "reads",
            (false, true) => "writes",
            (false, false) if self.some => "some",
            (false, false) => "none",
        };
        match &self.left_out {
            Some(service) => format!("{events} without {service}"),
            None => events.to_owned(),
        }
    }
}
