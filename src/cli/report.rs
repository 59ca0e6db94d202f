//! `report`: a finished audit as something that people hand over.

use logseal::finished::{Finished, FinishedError};
use logseal::report::{StatementForm, render_page, render_statement, write_page};

use super::args::{ReportArgs, ReportFormat};
use super::{Failure, print, stdout_style};

impl From<FinishedError> for Failure {
    fn from(error: FinishedError) -> Self {
        use std::error::Error as _;
        let cause = error.source().map_or(String::new(), |cause| format!(": {cause}"));
        Self::with_hint(format!("{error}{cause}"), error.hint())
    }
}

pub(super) fn run(args: ReportArgs) -> Result<u8, Failure> {
    let finished = Finished::read(&args.audit, &args.joined.into_joined())?;
    if let Some(file) = &args.html {
        write_page(file, args.force, &render_page(&finished))
            .map_err(|error| Failure::with_hint(&error, error.hint()))?;
    }
    let format = args.format.or(args.html.is_none().then_some(ReportFormat::Text));
    let Some(format) = format else { return Ok(0) };
    let form = match format {
        ReportFormat::Text => StatementForm::Text(stdout_style()),
        ReportFormat::Markdown => StatementForm::Markdown,
    };
    print(render_statement(&finished, form).as_bytes())
}
