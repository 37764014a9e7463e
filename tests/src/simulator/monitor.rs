//! The monitor of a drive item's copy: on an origin of its own, which accepts no token.

use std::str::FromStr;

use axum::http::{StatusCode, header::LOCATION};

use super::{
    answer::Answer,
    context::{Call, Context},
    document::Document,
    documents,
    fault::Fault,
    life::{End, Phase, Stage},
    operation, path,
    plan::Occasion,
    record::{self, Origin, Recorded},
    service::Service,
};

/// Whose monitor it is; their addresses and documents differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MonitorHost {
    /// SharePoint and OneDrive for Business.
    #[default]
    SharePoint,
    /// OneDrive for consumers.
    Personal,
}

/// How a monitor shows that its operation has succeeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MonitorEnd {
    /// 200 and the document.
    #[default]
    Ok,
    /// 202 and the document.
    Accepted,
    /// 303 and the document, with a `Location` that leads to the item on the monitor's own host.
    SeeOther,
    /// 303 and the document, without a `Location`.
    SeeOtherBare,
    /// 500 and the document.
    ServerError,
    /// 404: the monitor is gone, and nothing says how the operation ended.
    Vanished,
    /// 500 and an error instead of the document, with the code `operationNotFound`.
    OperationNotFound,
}

const ENDS: [(&str, MonitorEnd); 7] = [
    ("200", MonitorEnd::Ok),
    ("202", MonitorEnd::Accepted),
    ("303", MonitorEnd::SeeOther),
    ("303-bare", MonitorEnd::SeeOtherBare),
    ("500", MonitorEnd::ServerError),
    ("vanished", MonitorEnd::Vanished),
    ("not-found", MonitorEnd::OperationNotFound),
];

/// How the monitor of a drive item's copy, move or upload answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Monitor {
    host: MonitorHost,
    running: Option<StatusCode>,
    end: MonitorEnd,
}

impl Monitor {
    /// SharePoint's monitor, which answers 200 from first to last.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whose monitor it is.
    #[must_use]
    pub fn host(mut self, host: MonitorHost) -> Self {
        self.host = host;
        self
    }

    /// The status while the operation is running. By default 200 for SharePoint, and 202 for
    /// OneDrive for consumers.
    #[must_use]
    pub fn running(mut self, status: StatusCode) -> Self {
        self.running = Some(status);
        self
    }

    /// How a success is shown. A failure is shown in the document, with the status of a success if
    /// that is 200, 202 or 500, and otherwise with 200. A monitor that vanishes does so after a
    /// failure too.
    #[must_use]
    pub fn ending(mut self, end: MonitorEnd) -> Self {
        self.end = end;
        self
    }

    pub(super) fn is_personal(self) -> bool {
        self.host == MonitorHost::Personal
    }

    fn running_status(self) -> StatusCode {
        let usual = if self.is_personal() { StatusCode::ACCEPTED } else { StatusCode::OK };
        self.running.unwrap_or(usual)
    }
}

impl FromStr for Monitor {
    type Err = String;

    /// Reads words separated by commas: `sharepoint` or `personal`, `running=STATUS`, `end=` with
    /// `200`, `202`, `303`, `303-bare`, `500`, `vanished` or `not-found`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut monitor = Self::new();
        for word in text.split(',').map(str::trim) {
            let wrong = || format!("`{word}` does not describe a monitor");
            monitor = match (word, word.split_once('=')) {
                ("sharepoint", _) => monitor.host(MonitorHost::SharePoint),
                ("personal", _) => monitor.host(MonitorHost::Personal),
                (_, Some(("running", status))) => {
                    let status =
                        status.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
                    monitor.running(status.ok_or_else(wrong)?)
                }
                (_, Some(("end", end))) => {
                    let end = ENDS.iter().find(|(name, _)| *name == end);
                    monitor.ending(end.map(|(_, end)| *end).ok_or_else(wrong)?)
                }
                _ => return Err(wrong()),
            };
        }
        Ok(monitor)
    }
}

impl Service {
    /// Answers a request to the monitors' origin, and records it.
    pub(super) fn monitor(&mut self, mut call: Call) -> (Answer, Option<Fault>) {
        call.at = self.clock(call.at);
        let request_id = self.request_id();
        let context = self.context(&call, None, request_id);
        let mut recorded = self.recorded(&call, call.at, &context);
        recorded.origin = Origin::Monitor;
        let mut answer = self.observe(&call, &context, &mut recorded);
        if let Some(fault) = &recorded.fault {
            answer.spoil(fault);
        }
        let fault = recorded.fault.clone();
        recorded.status = (fault != Some(Fault::Close)).then(|| answer.status.as_u16());
        self.requests.push(recorded);
        (answer, fault)
    }

    fn observe(&mut self, call: &Call, context: &Context, recorded: &mut Recorded) -> Answer {
        if record::authorization(&call.headers).is_some() {
            return refusal(StatusCode::UNAUTHORIZED, "unauthenticated", "Authentication failed");
        }
        let segments: Vec<String> = call.uri.path().split('/').skip(1).map(path::decode).collect();
        let [home @ .., _, id] = segments.as_slice() else {
            return refusal(StatusCode::NOT_FOUND, "itemNotFound", "Item does not exist");
        };
        let identity = operation::identity(&path::identity(home), id);
        let known = self.operations.get(&identity);
        let known = known.filter(|operation| operation.is_addressed_by(call));
        let Some((keys, salt, id)) = known
            .map(|operation| (operation.keys.clone(), operation.salt, operation.id().to_owned()))
        else {
            return refusal(StatusCode::NOT_FOUND, "itemNotFound", "Item does not exist");
        };
        recorded.occasion = Some(Occasion::Check);
        recorded.nth = self.count(Occasion::Check, &identity);
        recorded.operation = Some(id);
        let behaviour = self.behaviour(&keys);
        recorded.draw(&behaviour, Occasion::Check, &identity, salt);
        let (origin, foreign) = (self.monitor_origin.clone(), self.foreign_origin.clone());
        let Some(found) = self.operations.get_mut(&identity) else {
            return refusal(StatusCode::NOT_FOUND, "itemNotFound", "Item does not exist");
        };
        found.checked(call.at);
        if let Some(fault) = &recorded.fault {
            found.tally.faults += 1;
            if let Some(answer) = context.outage(fault, call, &foreign) {
                return answer;
            }
        }
        let seen = recorded.fault.as_ref().is_none_or(Fault::is_truthful);
        let view = found.look(call.at, seen);
        let monitor = found.monitor;
        let document = documents::operation(found, &view, &origin, true);
        match &view.stage {
            Stage::Going(Phase::Missing) => {
                refusal(StatusCode::NOT_FOUND, "itemNotFound", "Item does not exist")
            }
            Stage::Going(_) | Stage::Ended(End::Never) => {
                Answer::json(monitor.running_status(), document.write())
            }
            Stage::Ended(end) => {
                let succeeded = *end == End::Succeeded;
                ended(monitor.end, succeeded, &document, &found.target.identity(), &origin)
            }
        }
    }
}

fn ended(
    end: MonitorEnd,
    succeeded: bool,
    document: &Document,
    item: &str,
    origin: &str,
) -> Answer {
    let status = match end {
        MonitorEnd::Vanished => {
            return refusal(StatusCode::NOT_FOUND, "itemNotFound", "Item does not exist");
        }
        MonitorEnd::OperationNotFound => {
            return refusal(
                StatusCode::INTERNAL_SERVER_ERROR,
                "operationNotFound",
                "The operation does not exist.",
            );
        }
        MonitorEnd::Accepted => StatusCode::ACCEPTED,
        MonitorEnd::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        MonitorEnd::SeeOther | MonitorEnd::SeeOtherBare if succeeded => StatusCode::SEE_OTHER,
        MonitorEnd::Ok | MonitorEnd::SeeOther | MonitorEnd::SeeOtherBare => StatusCode::OK,
    };
    let mut answer = Answer::json(status, document.write());
    if end == MonitorEnd::SeeOther && succeeded {
        answer.insert(LOCATION, &format!("{origin}/_api/v2.0/{item}"));
    }
    answer
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Answer {
    let error = Document::new().with("code", code).with("message", message);
    Answer::json(status, Document::new().with("error", error).write())
}
