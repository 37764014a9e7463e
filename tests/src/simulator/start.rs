//! The requests that start operations.

use std::time::Instant;

use axum::http::{
    StatusCode,
    header::{CONTENT_LOCATION, LOCATION},
};

use super::{
    addresses::{self, Addresses},
    answer::Answer,
    context::{Call, Context},
    document::Document,
    fault::RetryAfter,
    ids,
    kind::{Family, Kind},
    life::{Course, End, Failure},
    location::{LocationForm, Place},
    operation::{Operation, Parts, Tally},
    path::{self, Address, Keys, Version},
    plan::Occasion,
    record::Recorded,
    resources::Resource,
    service::Service,
};

impl Service {
    pub(super) fn start(
        &mut self,
        (kind, ids, base): (Kind, &[String], &str),
        call: &Call,
        context: &Context,
        recorded: &mut Recorded,
    ) -> Answer {
        let sent = Document::parse(&call.body);
        let name = sent.as_ref().and_then(|body| {
            ["displayName", "topic", "name", "renameAs"].iter().find_map(|name| body.text(name))
        });
        let name = name.unwrap_or_default();
        let mut keys: Vec<String> = Vec::new();
        keys.extend(Some(name.clone()).filter(|name| !name.is_empty()));
        keys.extend(ids.iter().rev().cloned());
        let subject = format!("{} {}", call.uri.path(), keys.first().map_or("", String::as_str));
        recorded.nth = self.count(Occasion::Start, &subject);
        let behaviour = self.behaviour(&keys);
        recorded.draw(&behaviour, Occasion::Start, &subject, self.salt(&subject));
        let fault = recorded.fault.as_ref();
        let outage = fault.and_then(|fault| context.outage(fault, call, &self.foreign_origin));
        if let Some(answer) = outage {
            return answer;
        }
        if let Some(refusal) = context.unreadable(call) {
            return refusal;
        }
        if sent.is_none() && (kind.needs_body() || !call.body.is_empty()) {
            return context.bad_request("Unable to read JSON request payload.");
        }
        let mut body = sent.unwrap_or_default();
        if kind == Kind::CreateTeam {
            body = self.with_group(body);
        }
        if let Some(refusal) = self.refusal(kind, ids, &body, call, context) {
            return refusal;
        }
        let monitor = behaviour.monitor.unwrap_or_default();
        let addresses = self.allocate(kind, ids, base, &body, monitor);
        if is_immediate(kind, &body, call, context.version) {
            return self.at_once(kind, &addresses, &body, context);
        }
        let mut operation = self.operation(kind, addresses, keys, &body, call.at);
        operation.name.clone_from(&name);
        operation.monitor = monitor;
        let answer = self.accepted(&operation, &body, context);
        recorded.operation = Some(operation.id().to_owned());
        self.admit(operation, &body);
        answer
    }

    /// Why the service does not accept the request, if it does not.
    fn refusal(
        &mut self,
        kind: Kind,
        ids: &[String],
        body: &Document,
        call: &Call,
        context: &Context,
    ) -> Option<Answer> {
        let required = |name: &str| {
            let missing = body.get(name).is_none_or(|value| value.is_null());
            missing.then(|| context.bad_request(&format!("The property '{name}' is required.")))
        };
        let team = ids.first().map_or("", String::as_str);
        match kind {
            Kind::CreateTeam if body.text("group@odata.bind").is_some() => {
                self.refused_group(body, call, context)
            }
            Kind::CreateTeam | Kind::CreateCommunity | Kind::CreatePrinter => {
                required("displayName")
            }
            Kind::CreateChat if body.is_empty() => required("chatType"),
            Kind::CopyContentType => required("contentTypeId"),
            Kind::ChangeSchema => required("baseType").filter(|_| body.get("properties").is_none()),
            Kind::AddTableRow => required("values"),
            Kind::UploadFromUrl => required("@microsoft.graph.sourceUrl"),
            Kind::CreateSite if context.version == Version::V1 => {
                Some(context.method_not_allowed())
            }
            Kind::MoveItem if moves_away(call, body) && !call.wants_no_waiting() => {
                Some(context.error(
                    StatusCode::BAD_REQUEST,
                    "invalidRequest",
                    "Requested move requires an async response, add 'Prefer: respond-async' to allow",
                ))
            }
            Kind::CloneTeam
            | Kind::ArchiveTeam
            | Kind::UnarchiveTeam
            | Kind::CreateChannel
            | Kind::ArchiveChannel
            | Kind::UnarchiveChannel => {
                if !self.knows_team(team, call.at) {
                    return Some(context.unknown_team(team));
                }
                let identity = Address::new("teams", team).identity();
                let about_channel = !matches!(
                    kind,
                    Kind::CloneTeam | Kind::ArchiveTeam | Kind::UnarchiveTeam
                );
                if about_channel && self.is_archived(&identity, call.at) {
                    let message = match ids.get(1) {
                        Some(channel) => format!(
                            "Team has to be active, for channel to be archived or unarchived: {channel}"
                        ),
                        None => "Team has to be active, for channel to be created.".to_owned(),
                    };
                    let status = StatusCode::BAD_REQUEST;
                    return Some(context.inner_error(status, "BadRequest", "Unknown", &message));
                }
                if matches!(kind, Kind::CloneTeam | Kind::CreateChannel) {
                    return required("displayName");
                }
                None
            }
            _ => None,
        }
    }

    /// The request for a team with the properties of its group, if it is bound to one.
    fn with_group(&self, body: Document) -> Document {
        let bound = body.text("group@odata.bind");
        let group = bound.as_deref().and_then(path::bound).map(|id| Address::new("groups", id));
        let Some(group) = group.and_then(|group| self.resources.get(&group.identity())) else {
            return body;
        };
        let mut whole = Document::new();
        whole.merge(&group.document, |name| {
            ["displayName", "description", "visibility", "mailNickname"].contains(&name)
        });
        whole.merge(&body, |_| true);
        whole
    }

    /// A group that does not exist, or has a team, cannot become one.
    fn refused_group(&mut self, body: &Document, call: &Call, context: &Context) -> Option<Answer> {
        let bound = body.text("group@odata.bind")?;
        let group = path::bound(&bound).unwrap_or_default();
        let identity = Address::new("groups", group).identity();
        if self.options.strict && !self.exists(&identity, call.at) {
            return Some(context.not_found(&identity));
        }
        let has_team = self.exists(&Address::new("teams", group).identity(), call.at);
        has_team.then(|| context.has_team())
    }

    fn operation(
        &mut self,
        kind: Kind,
        addresses: Addresses,
        mut keys: Vec<String>,
        body: &Document,
        now: Instant,
    ) -> Operation {
        let Addresses { address, home, target, query } = addresses;
        let ordinal = self.order.len() as u64;
        keys.insert(0, address.key().to_owned());
        keys.push(target.key().to_owned());
        let mut life = self.behaviour(&keys).life.unwrap_or_default();
        if ordinal < self.options.fail_first {
            life = life.ending(End::Failed(Failure::default()));
        }
        Operation {
            kind,
            salt: ids::mix(self.options.seed ^ ids::mix(ordinal)),
            created: ids::created(ordinal, self.options.seed),
            workflow: format!("westeurope.{}", self.ids.guid()),
            name: String::new(),
            parts: Parts::requested(body),
            query,
            monitor: super::monitor::Monitor::default(),
            course: Course::new(life, now),
            started: now,
            tally: Tally::default(),
            address,
            home,
            target,
            keys,
        }
    }

    /// The 202. Its headers name the operation; most families have no body.
    fn accepted(&mut self, operation: &Operation, body: &Document, context: &Context) -> Answer {
        let mut answer = match self.accepted_body(operation, body, context) {
            Some(document) => Answer::json(StatusCode::ACCEPTED, document.write()),
            None => Answer::empty(StatusCode::ACCEPTED),
        };
        let family = operation.kind.family();
        let natural = if family == Family::Drive {
            let query = operation.query.as_ref().map(|query| format!("?{query}"));
            let path = operation.address.write(Keys::Slash);
            let query = query.unwrap_or_default();
            LocationForm::Verbatim(format!("{}{path}{query}", self.monitor_origin))
        } else {
            operation.kind.location()
        };
        let form = self.behaviour(&operation.keys).location.unwrap_or(natural);
        let place = Place {
            origin: &self.origin,
            foreign_origin: &self.foreign_origin,
            version: context.version,
            operation: &operation.address,
            home: &operation.home,
            keys: family.keys(),
            query: operation.query.as_deref(),
        };
        if operation.kind == Kind::CreateTeam {
            answer.insert(CONTENT_LOCATION, &operation.target.write(Keys::Quoted));
        }
        if let Some((name, value)) = place.header(&form) {
            answer.headers.insert(name, value);
        }
        match (&self.options.retry_after, family) {
            (RetryAfter::Absent, Family::Print) => {
                context.retry_after(&mut answer, &RetryAfter::Seconds(5));
            }
            (form, _) => context.retry_after(&mut answer, form),
        }
        answer
    }

    /// The body of a starting 202, in the families that have one.
    fn accepted_body(
        &mut self,
        operation: &Operation,
        body: &Document,
        context: &Context,
    ) -> Option<Document> {
        match operation.kind {
            Kind::ResetPassword if body.text("newPassword").is_some() => Some(Document::new()),
            Kind::ResetPassword => {
                let root = self.root(context.version);
                let password = format!("Cu{:06}", self.ids.next() % 1_000_000);
                Some(
                    Document::new()
                        .with(
                            "@odata.context",
                            format!("{root}/$metadata#microsoft.graph.passwordResetResponse"),
                        )
                        .with("newPassword", password),
                )
            }
            Kind::CreateSession | Kind::AddTableRow => Some(Document::new()),
            _ => None,
        }
    }

    /// Stores an operation and its target.
    fn admit(&mut self, operation: Operation, body: &Document) {
        let id = operation.identity();
        let creator = operation.kind.creates().then_some(id.as_str());
        let (home, target) = (&operation.home, &operation.target);
        if operation.kind.family() == Family::Teams {
            // What an operation works on exists, even if nobody created it.
            for place in [home, target] {
                let is_new = place == target && creator.is_some();
                let segments = place.identity();
                match segments.split('/').collect::<Vec<_>>().as_slice() {
                    ["teams", _] if is_new => self.add_team(place, body, creator),
                    ["teams", _] => self.add_team(place, &Document::new(), None),
                    _ => {
                        let none = Document::new();
                        let sent = if is_new { body } else { &none };
                        let resource = Resource::new(place.clone(), sent)
                            .created_by(creator.filter(|_| is_new));
                        self.resources.entry(segments).or_insert(resource);
                    }
                }
            }
        } else {
            let document = target_document(&operation, body);
            let resource = match document {
                Some(document) => Resource::with_document(target.clone(), document),
                None => Resource::new(target.clone(), body),
            };
            // An operation that changes a schema replaces it; a file that is moved stays the same.
            let resource = resource.created_by(creator);
            if creator.is_some() {
                self.resources.insert(target.identity(), resource);
            } else {
                self.resources.entry(target.identity()).or_insert(resource);
            }
        }
        if let Some(target) = self.resources.get_mut(&target.identity())
            && target.touched_by.last() != Some(&id)
        {
            target.touched_by.push(id.clone());
        }
        if self.operations.insert(id.clone(), operation).is_none() {
            self.order.push(id);
        }
    }

    /// Answers with the result if the service does not start an operation for the request.
    fn at_once(
        &mut self,
        kind: Kind,
        addresses: &Addresses,
        body: &Document,
        context: &Context,
    ) -> Answer {
        let target = &addresses.target;
        let resource = match kind {
            Kind::CreateSession => {
                Resource::with_document(target.clone(), session_info(addresses.address.key(), body))
            }
            _ => Resource::new(target.clone(), body),
        };
        let mut answer = self.created(target, resource, context);
        if kind == Kind::MoveItem {
            answer.status = StatusCode::OK;
            answer.headers.remove(LOCATION);
        }
        answer
    }
}

/// The result of an operation of another family, if that is more than what was sent.
fn target_document(operation: &Operation, body: &Document) -> Option<Document> {
    match operation.kind {
        Kind::CreateSession => Some(session_info(operation.id(), body)),
        Kind::AddTableRow => {
            Some(Document::new().with("index", 0).with_some("values", body.get("values")))
        }
        Kind::ResetPassword => Some(Document::new().with("id", operation.target.key())),
        Kind::CopyItem | Kind::UploadFromUrl => {
            let name = body.text("name").unwrap_or_else(|| "copy".to_owned());
            Some(Document::new().with("id", operation.target.key()).with("name", name))
        }
        _ => None,
    }
}

fn session_info(id: &str, body: &Document) -> Document {
    let persists = body.get("persistChanges").unwrap_or(true.into());
    Document::new().with("persistChanges", persists).with("id", addresses::session(id))
}

/// Whether the item is moved to another drive.
fn moves_away(call: &Call, body: &Document) -> bool {
    let parent = body.get("parentReference");
    let drive = parent.as_ref().and_then(|parent| parent.get("driveId")?.as_str());
    drive.is_some_and(|drive| {
        !path::parse(call.uri.path()).1.iter().any(|segment| segment.eq_ignore_ascii_case(drive))
    })
}

/// Whether the service finishes before it answers: a channel that is not shared, a chat without
/// apps, or a request that lacks the `respond-async` that its operation needs.
fn is_immediate(kind: Kind, body: &Document, call: &Call, version: Version) -> bool {
    match kind {
        Kind::CreateChannel => body.text("membershipType").as_deref() != Some("shared"),
        Kind::CreateChat => {
            let apps = body.get("installedApps");
            let apps = apps.as_ref().and_then(|apps| apps.as_array());
            version == Version::V1 || apps.is_none_or(Vec::is_empty)
        }
        Kind::CreateSession | Kind::AddTableRow | Kind::UploadFromUrl => !call.wants_no_waiting(),
        Kind::ChangeSchema => call.method == "POST" && !call.wants_no_waiting(),
        Kind::MoveItem => !moves_away(call, body),
        _ => false,
    }
}

impl Service {
    /// Gives the operations with this id another life, from now on.
    pub(super) fn restart(&mut self, id: &str, now: Instant) {
        let id = id.to_lowercase();
        let life = self.options.by_key.get(&id).and_then(|behaviour| behaviour.life.clone());
        let Some(life) = life else {
            return;
        };
        for operation in self.operations.values_mut() {
            if operation.id().to_lowercase() == id {
                operation.course = Course::new(life.clone(), now);
            }
        }
    }
}
