//! `pack` and `verify-pack`: a finished audit as one archive that others can check.

use std::fs;
use std::path::Path;

use logseal::escape::escape;
use logseal::finished::Finished;
use logseal::pack::{
    AllowedSigner, FindingsForm, PackError, PackOptions, Signed, Signer, Verified, VerifyOptions, pack, verify_pack,
};
use logseal::report::{StatementForm, render_page, render_statement};
use logseal::timestamp::Timestamp;
use logseal::work::{NoProgress, Watch};

use super::args::{PackArgs, PackedFindings, VerifyPackArgs};
use super::{Failure, cancel_on_interrupt, print, say, stdout_style};

/// The pack is not as it should be.
const DIFFERS: u8 = 1;
/// It is, and a signature that was asked for is not there.
const UNSIGNED: u8 = 3;

impl From<PackError> for Failure {
    fn from(error: PackError) -> Self {
        use std::error::Error as _;
        let cause = error.source().map_or(String::new(), |cause| format!(": {cause}"));
        Self::with_hint(format!("{error}{cause}"), error.hint())
    }
}

pub(super) fn run(args: PackArgs) -> Result<u8, Failure> {
    let signer = args
        .attest
        .as_deref()
        .map(|path| Signer::from_pem(&read(path)?).map_err(|error| Failure::new(format!("{}: {error}", shown(path)))));
    let joined = args.joined.into_joined();
    let finished = Finished::read(&args.audit, &joined)?;
    let folders = [("digests", &joined.digests), ("settings", &joined.settings), ("reconcile", &joined.reconciled)];
    let folders = folders.into_iter().filter_map(|(name, folder)| Some((name, folder.clone()?)));
    let page = render_page(&finished);
    let options = PackOptions {
        out: args.out,
        overwrite: args.force,
        findings: match args.findings {
            PackedFindings::Csv => FindingsForm::Csv,
            PackedFindings::Parquet => FindingsForm::Parquet,
            PackedFindings::Both => FindingsForm::Both,
            PackedFindings::None => FindingsForm::None,
        },
        page: &page,
        joined: folders.collect(),
        signer: signer.transpose()?,
        cancel: cancel_on_interrupt(),
    };
    let packed = pack(&args.audit, &finished, &options)?;
    let out = shown(&options.out);
    let name = options.out.file_name().map_or_else(|| out.clone(), |name| shown(Path::new(name)));
    print(
        format!(
            "{out}: {} files, {} bytes, {} as an archive\n\nTo sign it, with a key of yours (SSH):\n  \
             unzip {name} && cd evidence\n  \
             ssh-keygen -Y sign -f KEY -n logseal-evidence tagmanifest-sha256.txt\n  \
             cd .. && zip {name} evidence/tagmanifest-sha256.txt.sig\n\n\
             To have the time of it confirmed (RFC 3161), make a question for an authority:\n  \
             openssl ts -query -data evidence/tagmanifest-sha256.txt -sha256 -cert \\\n    \
             -out request.tsq\n\
             Its answer goes beside the other file as tagmanifest-sha256.txt.tsr.\n\n\
             To check it:\n  logseal verify-pack {name}\n",
            packed.files, packed.bytes, packed.archive_len
        )
        .as_bytes(),
    )
}

pub(super) fn verify(args: VerifyPackArgs) -> Result<u8, Failure> {
    let signer = match (&args.allowed_signers, args.identity) {
        (Some(file), Some(identity)) => Some(AllowedSigner { file: read(file)?, identity, now: Timestamp::now() }),
        _ => None,
    };
    let attestation_key = args.attestation_key.as_deref().map(read).transpose()?;
    let cancel = cancel_on_interrupt();
    let again = args.again.into_again(Watch { cancel: &cancel, progress: &NoProgress });
    let is_repeated = again.is_some();
    let options = VerifyOptions { page: &render_page, signer, attestation_key, again, cancel: cancel.clone() };
    match verify_pack(&args.pack, &options) {
        Ok(verified) => tell(&verified, is_repeated),
        Err(fault) if fault.is_of_the_job() => Err(Failure::new(fault.to_string())),
        Err(fault) => {
            print(format!("DIFFERS  {}\n", logseal::escape::harmless(&fault.to_string())).as_bytes())?;
            Ok(DIFFERS)
        }
    }
}

fn tell(verified: &Verified, is_repeated: bool) -> Result<u8, Failure> {
    let (word, code) = match verified.signed {
        Signed::No => ("UNSIGNED", UNSIGNED),
        _ => ("VERIFIED", 0),
    };
    let signed = match verified.signed {
        Signed::Yes => "signed by whom it should be",
        Signed::No => "a signature that was asked for is not there",
        _ if verified.signatures.is_empty() => "not signed",
        _ => "signed; by whom was not asked (--allowed-signers, --attestation-key)",
    };
    let repeated = if is_repeated { "The audit, run again from its sources, gives the same.\n" } else { "" };
    print(
        format!(
            "{word}  {} files, {} bytes, as they were packed\n{signed}\n{repeated}\n{}",
            verified.files,
            verified.bytes,
            render_statement(&verified.finished, StatementForm::Text(stdout_style()))
        )
        .as_bytes(),
    )?;
    if verified.is_repacked == Some(true) {
        say(
            "note",
            "the archive was put together by another tool, as when a signature is added: every file in it is as it was",
        );
    }
    if !verified.has_findings {
        say("note", "the list of findings is not in the pack: only its totals could be compared");
    }
    Ok(code)
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::new(format!("cannot read {}: {error}", shown(path))))
}

fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes()).into_owned()
}
