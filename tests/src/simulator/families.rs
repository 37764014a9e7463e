//! The operations of Graph's other families, as a check shows them.

use serde_json::{Value, json};

use super::{
    document::Document,
    kind::{Family, Kind},
    life::{End, Failure, Stage, View},
    operation::Operation,
    path::{Address, Keys, encode},
};

/// A date that SharePoint's monitors show instead of the real one.
const YEAR_ONE: &str = "0001-01-01T00:00:00Z";

/// An operation of any family except Teams, with its status as the family spells it.
pub(super) fn operation(operation: &Operation, view: &View, status: &str, root: &str) -> Document {
    let seen = Seen { operation, view, status, root };
    match operation.kind.family() {
        Family::Teams | Family::Engagement => seen.engagement(),
        Family::Rich => seen.rich(),
        Family::LongRunning => seen.long_running(),
        Family::Connection => seen.connection(),
        Family::Workbook => seen.workbook(),
        Family::Print => seen.print(),
        Family::Onenote => seen.onenote(),
        Family::Drive if operation.monitor.is_personal() => seen.personal_monitor(),
        Family::Drive => seen.sharepoint_monitor(),
    }
}

struct Seen<'a> {
    operation: &'a Operation,
    view: &'a View,
    status: &'a str,
    root: &'a str,
}

impl Seen<'_> {
    fn has_succeeded(&self) -> bool {
        matches!(self.view.stage, Stage::Ended(End::Succeeded))
    }

    fn failure(&self) -> Option<&Failure> {
        match &self.view.stage {
            Stage::Ended(End::Failed(failure)) => Some(failure),
            _ => None,
        }
    }

    /// What the failure says, apart from its code.
    fn failure_text(&self) -> Option<&str> {
        match self.failure()? {
            Failure::Error { message: text, .. } | Failure::Text(text) => Some(text),
            Failure::Null => None,
        }
    }

    fn failure_code(&self) -> Option<&str> {
        match self.failure()? {
            Failure::Error { code, .. } => Some(code),
            Failure::Text(_) | Failure::Null => None,
        }
    }

    /// The failure as an object, or as bare text if that was asked for.
    fn error(&self) -> Option<Value> {
        Some(match self.failure()? {
            Failure::Error { code, message } => json!({ "code": code, "message": message }),
            Failure::Text(text) => Value::from(text.as_str()),
            Failure::Null => Value::Null,
        })
    }

    fn created(&self) -> String {
        format!("{}Z", self.operation.created)
    }

    fn context(&self, set: &str) -> String {
        format!("{}/$metadata#{set}/$entity", self.root)
    }

    fn location(&self, target: &Address, keys: Keys) -> String {
        format!("{}{}", self.root, target.write(keys))
    }

    fn percent(&self) -> f64 {
        let (done, whole) = self.view.done;
        let part = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
        part(done) * 100.0 / part(whole).max(1.0)
    }

    fn engagement(&self) -> Document {
        let created = self.created();
        let id = self.has_succeeded().then(|| self.operation.target.key());
        Document::new()
            .with("@odata.context", self.context("employeeExperience/engagementAsyncOperations"))
            .with("id", self.operation.id())
            .with("createdDateTime", &created)
            .with("lastActionDateTime", &created)
            .with("status", self.status)
            .with("statusDetail", self.failure_text())
            .with("resourceLocation", Value::Null)
            .with("operationType", self.operation.kind.name())
            .with("resourceId", id)
    }

    fn rich(&self) -> Document {
        let target = &self.operation.target;
        let home = &self.operation.home;
        let set = match home.key() {
            "sites" => "sites".to_owned(),
            site => format!("sites('{}')", encode(site)),
        };
        let is_running = !matches!(self.view.stage, Stage::Ended(_)) && self.view.done.0 > 0;
        Document::new()
            .with("@odata.context", self.context(&format!("{set}/operations")))
            .with("id", self.operation.id())
            .with("createdDateTime", self.created())
            .with_some("resourceId", self.has_succeeded().then(|| target.key()))
            .with_some(
                "resourceLocation",
                self.has_succeeded().then(|| self.location(target, Keys::Slash)),
            )
            .with("status", self.status)
            .with_some("percentageComplete", is_running.then(|| self.percent().floor()))
            .with_some(
                "type",
                (self.operation.kind == Kind::CopyContentType).then_some("contentTypeCopy"),
            )
            .with_some("error", self.error())
    }

    fn long_running(&self) -> Document {
        let created = self.created();
        let user = self.operation.home.write(Keys::Slash);
        let user = user.split('/').nth(2).unwrap_or_default().to_owned();
        let ended = matches!(self.view.stage, Stage::Ended(_));
        let detail = if self.has_succeeded() { Some("ResetSuccess") } else { self.failure_text() };
        Document::new()
            .with(
                "@odata.context",
                self.context(&format!("users('{}')/authentication/operations", encode(&user))),
            )
            .with("id", self.operation.id())
            .with("createdDateTime", &created)
            .with("lastActionDateTime", &created)
            .with("status", self.status)
            .with_some("statusDetail", ended.then_some(detail))
            .with("resourceLocation", self.location(&self.operation.target, Keys::Slash))
    }

    fn connection(&self) -> Document {
        Document::new()
            .with("id", self.operation.id())
            .with("status", self.status)
            .with("error", self.error())
    }

    fn workbook(&self) -> Document {
        let query = self.operation.query.as_ref().map(|query| format!("?{query}"));
        let location = || {
            let target = self.location(&self.operation.target, Keys::Slash);
            // The service writes a function call with the key as its argument.
            let (path, key) = target.rsplit_once('/').unwrap_or((&target, ""));
            format!("{path}(key='{key}'){}", query.unwrap_or_default())
        };
        let innermost = |text: &str| {
            json!({
                "code": self.failure_code().unwrap_or("GenericFileOpenError"),
                "message": text,
            })
        };
        let error = self.failure().map(|_| match self.failure_text() {
            Some(text) => json!({
                "code": "internalServerError",
                "message": "An internal server error occurred while processing the request.",
                "innerError": {
                    "code": "internalServerErrorUncategorized",
                    "message": "An unspecified error has occurred.",
                    "innerError": innermost(text),
                },
            }),
            None => Value::Null,
        });
        Document::new()
            .with("id", self.operation.id())
            .with("status", self.status)
            .with_some("error", error)
            .with_some("resourceLocation", self.has_succeeded().then(location))
    }

    fn print(&self) -> Document {
        let description = if self.has_succeeded() {
            "The operation has completed successfully."
        } else {
            self.failure_text().unwrap_or("The operation has not completed.")
        };
        let status = Document::new().with("state", self.status).with("description", description);
        let printer = || {
            let status = Document::new()
                .with("state", "unknown")
                .with("details", [(); 0])
                .with("description", "");
            Document::new()
                .with("registeredDateTime", self.created())
                .with("isShared", false)
                .with("id", self.operation.target.key())
                .with("displayName", &self.operation.name)
                .with("isAcceptingJobs", Value::Null)
                .with("status", status)
        };
        Document::new()
            .with("@odata.context", self.context("print/operations"))
            .with("@odata.type", "#microsoft.graph.printerCreateOperation")
            .with("id", self.operation.id())
            .with("createdDateTime", self.created())
            .with("certificate", self.has_succeeded().then_some("{certificate}"))
            .with("status", status)
            .with_some("printer", self.has_succeeded().then(printer))
    }

    fn onenote(&self) -> Document {
        let created = self.created();
        let target = &self.operation.target;
        let running = !matches!(self.view.stage, Stage::Ended(_));
        let percent = running.then(|| format!("{:.0}", self.percent().floor()));
        Document::new()
            .with("id", self.operation.id())
            .with("status", self.status)
            .with("createdDateTime", &created)
            .with("lastActionDateTime", &created)
            .with_some("percentComplete", percent)
            .with(
                "resourceLocation",
                self.has_succeeded().then(|| self.location(target, Keys::Slash)),
            )
            .with("resourceId", self.has_succeeded().then(|| target.key()))
            .with_some("error", self.error())
    }

    fn sharepoint_monitor(&self) -> Document {
        let target = &self.operation.target;
        let ended = matches!(self.view.stage, Stage::Ended(_));
        let percent = (!ended || self.has_succeeded()).then(|| self.percent());
        // The address belongs to the host's own API, which needs another token.
        let location = || format!("{}/_api/v2.0{}", self.root, target.write(Keys::Slash));
        Document::new()
            .with(
                "@odata.context",
                format!("{}/_api/v2.1/$metadata#drives('driveId')/operations/$entity", self.root),
            )
            .with("id", self.operation.id())
            .with("createdDateTime", YEAR_ONE)
            .with("lastActionDateTime", YEAR_ONE)
            .with_some("percentageComplete", percent)
            .with_some("percentComplete", percent)
            .with_some("resourceId", self.has_succeeded().then(|| target.key()))
            .with_some("resourceLocation", self.has_succeeded().then(location))
            .with("status", self.status)
            .with_some("error", self.error())
    }

    fn personal_monitor(&self) -> Document {
        let name = match self.operation.kind {
            Kind::UploadFromUrl => "DownloadUrl",
            _ => "ItemCopy",
        };
        let code = self.failure_code().map(|code| format!("{code}_"));
        Document::new()
            .with("operation", name)
            .with("percentageComplete", self.percent())
            .with("status", self.status)
            .with_some("resourceId", self.has_succeeded().then(|| self.operation.target.key()))
            .with_some("errorCode", code)
            .with_some("statusDescription", self.failure_text())
    }
}
