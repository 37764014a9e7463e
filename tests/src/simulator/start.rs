//! The requests that start operations.

use std::time::Instant;

use axum::http::{
    StatusCode,
    header::{CONTENT_LOCATION, LOCATION},
};
use serde_json::Value;

use super::{
    answer::Answer,
    context::{Call, Context},
    documents, ids,
    life::{Course, End, Failure},
    location::{LocationForm, Place},
    operation::{Kind, Operation, Parts, Tally},
    path::{Address, Keys, Version},
    plan::Occasion,
    record::Recorded,
    service::{Resource, Service},
};

const COMMUNITIES: &str = "/employeeExperience";

/// The addresses of an operation that is about to start.
struct Plot {
    address: Address,
    home: Address,
    target: Address,
}

impl Service {
    pub(super) fn start(
        &mut self,
        kind: Kind,
        parents: &[String],
        call: &Call,
        context: &Context,
        recorded: &mut Recorded,
    ) -> Answer {
        let body = serde_json::from_slice::<Value>(&call.body).ok().filter(Value::is_object);
        let name = body
            .as_ref()
            .and_then(|body| body.get("displayName").or_else(|| body.get("topic"))?.as_str());
        let name = name.unwrap_or_default().to_owned();
        let mut keys: Vec<String> = Vec::new();
        keys.extend(Some(name.clone()).filter(|name| !name.is_empty()));
        keys.extend(parents.iter().rev().cloned());
        let subject = format!("{} {}", call.uri.path(), keys.first().map_or("", String::as_str));
        recorded.nth = self.count(Occasion::Start, &subject);
        let plan = self.behaviour(&keys).faults.unwrap_or_default();
        recorded.fault = plan.fault(Occasion::Start, recorded.nth, self.salt(&subject));
        let fault = recorded.fault.as_ref();
        let outage = fault.and_then(|fault| context.outage(fault, call, &self.foreign_origin));
        if let Some(answer) = outage {
            return answer;
        }
        if body.is_none() && (kind.needs_body() || !call.body.is_empty()) {
            let message = "Unable to read JSON request payload.";
            return context.error(StatusCode::BAD_REQUEST, "BadRequest", message);
        }
        let body = body.unwrap_or_default();
        let plot = self.plot(kind, parents);
        if is_immediate(kind, &body, context.version) {
            return self.create_at_once(&plot.target, &name, context);
        }
        let operation = self.operation(kind, plot, keys, &body, call.at);
        let answer = self.accepted(&operation, context);
        recorded.operation = Some(operation.id().to_owned());
        self.admit(operation, &name);
        answer
    }

    /// Gives out ids and addresses.
    fn plot(&mut self, kind: Kind, parents: &[String]) -> Plot {
        let team =
            |index: usize| Address::new("teams", parents.get(index).map_or("", String::as_str));
        let (home, target) = match kind {
            Kind::ArchiveTeam | Kind::UnarchiveTeam => (team(0), team(0)),
            Kind::CreateTeam | Kind::CloneTeam => {
                // A clone is read below the new team as well.
                let created = Address::new("teams", &self.ids.guid());
                (created.clone(), created)
            }
            Kind::CreateChannel => {
                let id = format!("19:{}@thread.tacv2", self.ids.guid().replace('-', ""));
                (team(0), team(0).child("channels", &id))
            }
            Kind::ArchiveChannel | Kind::UnarchiveChannel => {
                let channel = parents.get(1).map_or("", String::as_str);
                (team(0), team(0).child("channels", channel))
            }
            Kind::CreateChat => {
                let id = format!("19:{}@thread.v2", self.ids.guid().replace('-', ""));
                let chat = Address::new("chats", &id);
                (chat.clone(), chat)
            }
            Kind::CreateCommunity => {
                let home = Address::fixed(COMMUNITIES);
                let community = home.child("communities", &self.ids.guid());
                (home, community)
            }
        };
        let (set, id) = match kind {
            Kind::CreateChat => ("operations", [(); 3].map(|()| self.ids.guid()).join("-")),
            Kind::CreateCommunity => ("engagementAsyncOperations", self.ids.guid()),
            _ => ("operations", self.ids.guid()),
        };
        Plot { address: home.child(set, &id), home, target }
    }

    fn operation(
        &mut self,
        kind: Kind,
        plot: Plot,
        mut keys: Vec<String>,
        body: &Value,
        now: Instant,
    ) -> Operation {
        let Plot { address, home, target } = plot;
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
            parts: Parts::requested(body),
            course: Course::new(life, now),
            started: now,
            tally: Tally::default(),
            address,
            home,
            target,
            keys,
        }
    }

    /// The 202: no body, and the headers alone say where to look.
    fn accepted(&self, operation: &Operation, context: &Context) -> Answer {
        let mut answer = Answer::empty(StatusCode::ACCEPTED);
        let natural = match operation.kind {
            Kind::CreateCommunity => LocationForm::Absolute,
            Kind::ArchiveChannel | Kind::UnarchiveChannel => LocationForm::SlashKey,
            _ => LocationForm::QuotedKey,
        };
        let form = self.behaviour(&operation.keys).location.unwrap_or(natural);
        let place = Place {
            origin: &self.origin,
            foreign_origin: &self.foreign_origin,
            version: context.version,
            operation: &operation.address,
            home: &operation.home,
        };
        if operation.kind == Kind::CreateTeam {
            answer.insert(CONTENT_LOCATION, &operation.target.write(Keys::Quoted));
        }
        if let Some((name, value)) = place.header(&form) {
            answer.headers.insert(name, value);
        }
        context.retry_after(&mut answer, &self.options.retry_after);
        answer
    }

    /// Remembers an operation, and what it is about.
    fn admit(&mut self, operation: Operation, name: &str) {
        let id = operation.id().to_owned();
        // Whatever an operation takes place on is there, without having been created first.
        let home = self.resources.entry(operation.home.identity());
        home.or_insert_with(|| Resource::new(operation.home.clone(), name));
        let target = self.resources.entry(operation.target.identity());
        let target = target.or_insert_with(|| Resource::new(operation.target.clone(), name));
        target.created_by =
            operation.kind.creates().then(|| id.clone()).or(target.created_by.take());
        target.touched_by.push(id.clone());
        self.order.push(id.clone());
        self.operations.insert(id, operation);
    }

    fn create_at_once(&mut self, target: &Address, name: &str, context: &Context) -> Answer {
        let root = self.root(context.version);
        self.resources.insert(target.identity(), Resource::new(target.clone(), name));
        let mut answer =
            Answer::json(StatusCode::CREATED, documents::resource(target, name, false, &root));
        answer.insert(LOCATION, &format!("{root}{}", target.write(Keys::Quoted)));
        answer
    }
}

/// Whether the service finishes before it answers: a channel that is not shared, a chat without
/// apps.
fn is_immediate(kind: Kind, body: &Value, version: Version) -> bool {
    match kind {
        Kind::CreateChannel => body.get("membershipType").and_then(Value::as_str) != Some("shared"),
        Kind::CreateChat => {
            let apps = body.get("installedApps").and_then(Value::as_array);
            version == Version::V1 || apps.is_none_or(Vec::is_empty)
        }
        _ => false,
    }
}

impl Service {
    /// Gives an operation that is under way another life, from now on.
    pub(super) fn restart(&mut self, id: &str, now: Instant) {
        let Some(operation) = self.operations.get_mut(id) else {
            return;
        };
        if let Some(life) = self.options.by_key.get(id).and_then(|behaviour| behaviour.life.clone())
        {
            operation.course = Course::new(life, now);
        }
    }
}
