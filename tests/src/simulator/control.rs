//! The simulator's own routes, below `/_simulator`: they show what has happened, and set what will
//! happen. They take no token, and use plain JSON.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    fault::Fault,
    life::{Life, Span},
    location::LocationForm,
    monitor::Monitor,
    options::Behaviour,
    plan::{FaultPlan, Occasion},
    record::{self, Counts},
    server::Shared,
};

type App = State<Arc<Shared>>;
/// What was wrong with a request, for its sender to read.
type Refused = (StatusCode, Json<Value>);
type Outcome = Result<StatusCode, Refused>;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/_simulator/health", get(health))
        .route("/_simulator/requests", get(requests))
        .route("/_simulator/operations", get(operations))
        .route("/_simulator/foreign", get(foreign_requests))
        .route("/_simulator/reset", post(reset))
        .route("/_simulator/faults", post(faults))
        .route("/_simulator/teams/{id}/life", post(life))
        .route("/_simulator/operations/{id}/life", post(life))
        .route("/_simulator/clock", get(clock).post(skip))
        .route("/_simulator/rate", get(rate).post(set_rate))
}

fn refused(message: &(impl ToString + ?Sized)) -> Refused {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": message.to_string() })))
}

/// Reads a body; its `Content-Type` does not matter, so that any client can send one.
fn read<T: for<'de> Deserialize<'de>>(body: &str) -> Result<T, Refused> {
    serde_json::from_str(body).map_err(|error| refused(&error))
}

fn parsed<T: std::str::FromStr<Err = String>>(text: Option<&String>) -> Result<Option<T>, Refused> {
    text.map(|text| text.parse().map_err(|error| refused(&error))).transpose()
}

async fn health(State(shared): App) -> Json<Value> {
    let service = shared.lock();
    Json(json!({
        "status": "ok",
        "serviceRoot": format!("{}/v1.0", shared.origin),
        "monitorOrigin": service.monitor_origin,
        "operations": service.operations.len(),
        "counts": Counts::of(&service.requests).json(),
    }))
}

#[derive(Debug, Deserialize)]
struct Filter {
    operation: Option<String>,
}

async fn requests(State(shared): App, Query(filter): Query<Filter>) -> Json<Value> {
    let service = shared.lock();
    let wanted = |id: &Option<String>| filter.operation.is_none() || filter.operation == *id;
    let requests = service.requests.iter().filter(|recorded| wanted(&recorded.operation));
    Json(requests.map(|recorded| recorded.json(shared.epoch)).collect())
}

async fn operations(State(shared): App) -> Json<Value> {
    let reports = shared.lock().reports();
    Json(reports.iter().map(|report| report.json(shared.epoch)).collect())
}

async fn foreign_requests(State(shared): App) -> Json<Value> {
    let service = shared.lock();
    Json(service.foreign.iter().map(|request| request.json(shared.epoch)).collect())
}

async fn reset(State(shared): App) -> StatusCode {
    shared.lock().reset();
    StatusCode::NO_CONTENT
}

/// A plan of faults: for all requests, or for one team or operation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Faults {
    #[serde(default, rename = "for")]
    key: Option<String>,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    #[serde(default)]
    on: Option<String>,
    faults: Vec<String>,
    #[serde(default)]
    nth: Option<u64>,
    #[serde(default)]
    every: Option<u64>,
    #[serde(default)]
    rate: Option<f64>,
}

impl Rule {
    fn add_to(&self, plan: FaultPlan) -> Result<FaultPlan, Refused> {
        let on = self
            .on
            .as_deref()
            .unwrap_or("check")
            .parse::<Occasion>()
            .map_err(|error| refused(&error))?;
        let faults = self.faults.iter().map(|name| name.parse::<Fault>());
        let faults: Vec<Fault> =
            faults.collect::<Result<_, _>>().map_err(|error| refused(&error))?;
        match (self.nth, self.every, self.rate) {
            (None, None, None) => Ok(plan.sequence(on, faults)),
            (Some(nth), None, None) => {
                Ok((nth..).zip(faults).fold(plan, |plan, (nth, fault)| plan.nth(on, nth, fault)))
            }
            (None, Some(every), None) => Ok(plan.every(on, every, faults)),
            (None, None, Some(rate)) if (0.0..=1.0).contains(&rate) => {
                Ok(plan.random(on, rate, faults))
            }
            (None, None, Some(_)) => Err(refused("`rate` has to be between 0 and 1")),
            _ => Err(refused("give one of `nth`, `every` and `rate`")),
        }
    }
}

async fn faults(State(shared): App, body: String) -> Outcome {
    let asked: Faults = read(&body)?;
    let mut plan = FaultPlan::new();
    for rule in &asked.rules {
        plan = rule.add_to(plan)?;
    }
    let mut service = shared.lock();
    let behaviour = Behaviour::new().faults(plan.counting_from(&service.counts));
    match asked.key {
        Some(key) => service.set_behaviour(&key, behaviour, std::time::Instant::now()),
        None => service.options.default = behaviour.or(&service.options.default),
    }
    Ok(StatusCode::NO_CONTENT)
}

/// How one operation proceeds, or those of a team.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct LifeOf {
    #[serde(default)]
    life: Option<String>,
    #[serde(default)]
    location: Option<String>,
    #[serde(default)]
    readable_after: Option<String>,
    #[serde(default)]
    monitor: Option<String>,
}

async fn life(State(shared): App, Path(key): Path<String>, body: String) -> Outcome {
    let asked: LifeOf = read(&body)?;
    let behaviour = Behaviour {
        life: parsed::<Life>(asked.life.as_ref())?,
        location: parsed::<LocationForm>(asked.location.as_ref())?,
        readable_after: parsed::<Span>(asked.readable_after.as_ref())?,
        monitor: parsed::<Monitor>(asked.monitor.as_ref())?,
        faults: None,
    };
    shared.lock().set_behaviour(&key, behaviour, std::time::Instant::now());
    Ok(StatusCode::NO_CONTENT)
}

async fn clock(State(shared): App) -> Json<Value> {
    Json(json!({ "skippedMs": record::millis(shared.lock().skipped) }))
}

/// How far to skip: `"30s"`, `"250ms"`, or a number of seconds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Skip {
    skip: Value,
}

async fn skip(State(shared): App, body: String) -> Result<Json<Value>, Refused> {
    let asked: Skip = read(&body)?;
    let time = match &asked.skip {
        Value::String(text) => match text.parse::<Span>().map_err(|error| refused(&error))? {
            Span::Time(time) => Some(time),
            Span::Checks(_) => None,
        },
        other => other.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    };
    let time = time.filter(|time| *time <= LONGEST_SKIP);
    let time = time.ok_or_else(|| {
        refused("`skip` has to be a time of at most a hundred years: \"30s\", \"250ms\", 30")
    })?;
    let mut service = shared.lock();
    service.skipped = (service.skipped + time).min(LONGEST_SKIP);
    Ok(Json(json!({ "skippedMs": record::millis(service.skipped) })))
}

/// The longest skip: a hundred years, so that no instant overflows.
pub(super) const LONGEST_SKIP: Duration = Duration::from_secs(3_155_760_000);

async fn rate(State(shared): App) -> Json<Value> {
    let service = shared.lock();
    Json(json!({
        "rate": service.throttle.rate,
        "teamRate": service.throttle.team_rate,
        "refused": Counts::of(&service.requests).refused,
    }))
}

/// The rates from now on. A null removes a limit, and a property that is absent changes nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Rates {
    #[serde(default)]
    rate: Change,
    #[serde(default)]
    team_rate: Change,
}

#[derive(Debug, Default, Deserialize)]
#[serde(from = "Option<u32>")]
enum Change {
    #[default]
    Absent,
    To(Option<u32>),
}

impl From<Option<u32>> for Change {
    fn from(rate: Option<u32>) -> Self {
        Self::To(rate)
    }
}

async fn set_rate(State(shared): App, body: String) -> Outcome {
    let asked: Rates = read(&body)?;
    let throttle = &mut shared.lock().throttle;
    if let Change::To(rate) = asked.rate {
        throttle.rate = rate;
    }
    if let Change::To(rate) = asked.team_rate {
        throttle.team_rate = rate;
    }
    Ok(StatusCode::NO_CONTENT)
}
