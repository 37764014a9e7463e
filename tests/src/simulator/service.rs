//! The service: everything it knows, and how it comes to an answer.

use std::{collections::HashMap, time::Instant};

use axum::http::StatusCode;

use super::{
    answer::Answer,
    context::{Call, Context},
    documents,
    fault::Fault,
    ids::{self, Ids},
    life::{Phase, Span, Stage},
    operation::Operation,
    options::{Behaviour, Options},
    path::{self, Address, Version},
    plan::Occasion,
    record::{self, ForeignRequest, Recorded},
    replay::Tape,
    routes::{self, Refusal, Route},
};

/// Something that can be read after an operation, or because one began on it.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) address: Address,
    pub(super) name: String,
    /// The operation by which it comes into being.
    pub(super) created_by: Option<String>,
    /// The operations on it, the latest last.
    pub(super) touched_by: Vec<String>,
    /// How often it was not to be found after the success.
    misses: u32,
}

impl Resource {
    pub(super) fn new(address: Address, name: &str) -> Self {
        Self { address, name: name.to_owned(), created_by: None, touched_by: Vec::new(), misses: 0 }
    }
}

/// The service's whole state.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) options: Options,
    pub(super) origin: String,
    pub(super) foreign_origin: String,
    pub(super) ids: Ids,
    /// Of its own, so that the ids of operations do not depend on how often a client asks.
    request_ids: Ids,
    tape: Tape,
    pub(super) operations: HashMap<String, Operation>,
    /// The operations' ids, in the order of their start.
    pub(super) order: Vec<String>,
    pub(super) resources: HashMap<String, Resource>,
    counts: HashMap<(Occasion, String), u64>,
    pub(super) requests: Vec<Recorded>,
    pub(super) foreign: Vec<ForeignRequest>,
}

impl Service {
    pub(super) fn new(mut options: Options, origin: String, foreign_origin: String) -> Self {
        let tape = Tape::new(std::mem::take(&mut options.replay));
        Self {
            ids: Ids::new(options.seed),
            request_ids: Ids::new(!options.seed),
            options,
            origin,
            foreign_origin,
            tape,
            operations: HashMap::new(),
            order: Vec::new(),
            resources: HashMap::new(),
            counts: HashMap::new(),
            requests: Vec::new(),
            foreign: Vec::new(),
        }
    }

    /// Answers a request, and records it; what the fault does to the connection is left to the
    /// caller.
    pub(super) fn call(&mut self, call: &Call) -> (Answer, Option<Fault>) {
        let (version, segments) = path::parse(call.uri.path());
        let context =
            Context::new(call, version, self.request_ids.guid(), self.options.clock_ahead);
        let mut recorded = Recorded {
            at: call.at,
            method: call.method.clone(),
            path: call.uri.to_string(),
            occasion: None,
            nth: 0,
            operation: None,
            authorization: record::authorization(&call.headers),
            prefer: call.prefer(),
            client_request_id: call.client_request_id(),
            request_id: context.request_id.clone(),
            status: None,
            fault: None,
        };
        let mut answer = if version.is_none() {
            context.error(StatusCode::BAD_REQUEST, "BadRequest", "Invalid version.")
        } else if !call.is_authorized() {
            context.error(
                StatusCode::UNAUTHORIZED,
                "InvalidAuthenticationToken",
                "Access token is empty.",
            )
        } else {
            self.decide(call, &segments, &context, &mut recorded)
        };
        if let Some(fault) = &recorded.fault {
            answer.spoil(fault);
        }
        context.label(&mut answer, call);
        let fault = recorded.fault.clone();
        recorded.status = (fault != Some(Fault::Close)).then(|| answer.status.as_u16());
        self.requests.push(recorded);
        (answer, fault)
    }

    fn decide(
        &mut self,
        call: &Call,
        segments: &[String],
        context: &Context,
        recorded: &mut Recorded,
    ) -> Answer {
        let route = routes::route(&call.method, segments);
        if let Ok(route) = &route {
            recorded.occasion = Some(match route {
                Route::Start(..) => Occasion::Start,
                Route::Check { .. } => Occasion::Check,
                Route::Target(_) => Occasion::Target,
            });
        }
        if let Some(replayed) = self.tape.play(&call.method, segments, &self.origin) {
            if let Ok(Route::Check { operation, .. }) = route {
                recorded.nth = self.count(Occasion::Check, &operation);
                recorded.operation = Some(operation);
            }
            return replayed;
        }
        match route {
            Ok(Route::Start(kind, parents)) => self.start(kind, &parents, call, context, recorded),
            Ok(Route::Check { home, operation }) => {
                self.check(&home, &operation, call, context, recorded)
            }
            Ok(Route::Target(identity)) => self.target(&identity, call, context, recorded),
            Err(Refusal::Method) => context.error(
                StatusCode::METHOD_NOT_ALLOWED,
                "Request_BadRequest",
                "Specified HTTP method is not allowed.",
            ),
            Err(Refusal::Path(segment)) => {
                let message = format!("Resource not found for the segment '{segment}'.");
                context.error(StatusCode::BAD_REQUEST, "BadRequest", &message)
            }
        }
    }

    fn check(
        &mut self,
        home: &str,
        id: &str,
        call: &Call,
        context: &Context,
        recorded: &mut Recorded,
    ) -> Answer {
        recorded.nth = self.count(Occasion::Check, id);
        recorded.operation = Some(id.to_owned());
        let root = self.root(context.version);
        let known = self.operations.get(id).filter(|operation| operation.home.identity() == home);
        let Some((keys, salt)) = known.map(|operation| (operation.keys.clone(), operation.salt))
        else {
            return context.not_found(id);
        };
        let plan = self.behaviour(&keys).faults.unwrap_or_default();
        recorded.fault = plan.fault(Occasion::Check, recorded.nth, salt);
        let foreign_origin = self.foreign_origin.clone();
        let Some(operation) = self.operations.get_mut(id) else {
            return context.not_found(id);
        };
        operation.checked(call.at);
        if let Some(fault) = &recorded.fault {
            operation.tally.faults += 1;
            if let Some(answer) = context.outage(fault, call, &foreign_origin) {
                return answer;
            }
        }
        let seen = recorded.fault.as_ref().is_none_or(Fault::is_truthful);
        let view = operation.look(call.at, seen);
        if view.stage == Stage::Going(Phase::Missing) {
            return context.not_found(id);
        }
        Answer::json(
            StatusCode::OK,
            documents::operation(operation, &view, &root, call.wants_all_members()),
        )
    }

    fn target(
        &mut self,
        identity: &str,
        call: &Call,
        context: &Context,
        recorded: &mut Recorded,
    ) -> Answer {
        recorded.nth = self.count(Occasion::Target, identity);
        let root = self.root(context.version);
        let Some(resource) = self.resources.get(identity) else {
            return context.not_found(identity);
        };
        let creator = resource.created_by.clone();
        // The latest operation's rules hold; where none has begun, those of the resource's own id.
        let by = resource.touched_by.last().and_then(|id| self.operations.get(id));
        let keys = by.map_or_else(
            || vec![resource.address.key().to_owned()],
            |operation| operation.keys.clone(),
        );
        let specific = self.behaviour_of(&keys);
        let lag = specific
            .readable_after
            .or_else(|| creator.as_ref().and(self.options.default.readable_after));
        let plan = specific.or(&self.options.default).faults.unwrap_or_default();
        recorded.fault = plan.fault(Occasion::Target, recorded.nth, self.salt(identity));
        if let Some(fault) = &recorded.fault
            && let Some(answer) = context.outage(fault, call, &self.foreign_origin)
        {
            return answer;
        }
        let latest = resource.touched_by.last().cloned();
        if !self.is_readable(identity, creator.or(latest.filter(|_| lag.is_some())), lag, call.at) {
            return context.not_found(identity);
        }
        let archived = self.is_archived(identity, call.at);
        match self.resources.get(identity) {
            Some(found) => Answer::json(
                StatusCode::OK,
                documents::resource(&found.address, &found.name, archived, &root),
            ),
            None => context.not_found(identity),
        }
    }

    /// Whether the resource has come into being, and long enough ago.
    fn is_readable(
        &mut self,
        identity: &str,
        operation: Option<String>,
        lag: Option<Span>,
        now: Instant,
    ) -> bool {
        let Some(operation) = operation else {
            return true;
        };
        let succeeded = self
            .operations
            .get_mut(&operation)
            .and_then(|operation| operation.course.succeeded_at(now));
        let (Some(since), Some(resource)) = (succeeded, self.resources.get_mut(identity)) else {
            return false;
        };
        match lag.unwrap_or(Span::ZERO) {
            Span::Time(time) => now.saturating_duration_since(since) >= time,
            Span::Checks(checks) if resource.misses < checks => {
                resource.misses += 1;
                false
            }
            Span::Checks(_) => true,
        }
    }

    fn is_archived(&mut self, identity: &str, now: Instant) -> bool {
        let touched = self
            .resources
            .get(identity)
            .map(|resource| resource.touched_by.clone())
            .unwrap_or_default();
        touched.iter().rev().find_map(|id| {
            let operation = self.operations.get_mut(id)?;
            operation.kind.archives().filter(|_| operation.course.succeeded_at(now).is_some())
        }) == Some(true)
    }

    /// Counts a request, and says which one of its kind it is.
    pub(super) fn count(&mut self, occasion: Occasion, subject: &str) -> u64 {
        let count = self.counts.entry((occasion, subject.to_owned())).or_default();
        *count += 1;
        *count
    }

    /// What the chances of this subject's faults are drawn from.
    pub(super) fn salt(&self, subject: &str) -> u64 {
        ids::hash(subject) ^ ids::mix(self.options.seed)
    }

    /// What holds for these keys, the first of them before the others, and all of them before the
    /// default.
    pub(super) fn behaviour(&self, keys: &[String]) -> Behaviour {
        self.behaviour_of(keys).or(&self.options.default)
    }

    fn behaviour_of(&self, keys: &[String]) -> Behaviour {
        let set = keys.iter().filter_map(|key| self.options.by_key.get(key));
        set.fold(Behaviour::default(), Behaviour::or)
    }

    pub(super) fn root(&self, version: Version) -> String {
        format!("{}/{}", self.origin, version.segment())
    }
}
