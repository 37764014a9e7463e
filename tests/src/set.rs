//! The set's machine, driven by arbitrary bytes, and what has to hold whatever they say.

pub mod saved;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use graph_operation::protocol::{Envelope, Poller, Received, Report, Set, SetStep, Started};
use graph_operation::{Error, Polling, TeamsAsyncOperation};
use http::{Request, Response, StatusCode, Uri};
use serde_json::{Value, json};

const INTERVAL: Duration = Duration::from_secs(30);
const RATE: u32 = 10;
const STATUSES: [u16; 14] = [200, 200, 200, 200, 401, 404, 400, 405, 429, 503, 500, 424, 501, 302];

/// Bytes that drive the test; zeros once they have run out.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn status(&mut self) -> u16 {
        STATUSES[usize::from(self.byte()) % STATUSES.len()]
    }

    fn document(&mut self) -> Value {
        match self.byte() % 4 {
            0 => json!({ "status": "succeeded" }),
            1 => json!({ "status": "failed", "error": { "code": "x" } }),
            2 => json!({ "status": "inProgress", "attemptsCount": self.byte() }),
            _ => json!("PGh0bWw+"),
        }
    }
}

/// What has to hold, known from the requests and the reports alone.
#[derive(Default)]
struct Oracle {
    inside: HashSet<u8>,
    /// When each address was checked, and whether the next check may be sooner: after a refused
    /// envelope, a renewed credential, a doubt that is to be confirmed, or a new operation.
    checked: HashMap<String, Instant>,
    sooner: HashSet<String>,
    times: Vec<Instant>,
}

impl Oracle {
    /// The addresses that a request checks.
    fn sending(&mut self, request: &Request<Bytes>, now: Instant) -> Vec<String> {
        let url = request.uri().to_string();
        let base = "https://graph.microsoft.com/";
        assert!(url.starts_with(base), "another origin: {url}");
        let addresses = if let Some(version) = url.strip_suffix("/$batch") {
            let body: Value = serde_json::from_slice(request.body()).expect("a batch is JSON");
            let items = body["requests"].as_array().expect("a batch has requests");
            assert!((2..=20).contains(&items.len()), "{} items", items.len());
            let url = |item: &Value| item["url"].as_str().map(|url| format!("{version}{url}"));
            items.iter().map(|item| url(item).expect("an item has a url")).collect()
        } else {
            vec![url]
        };
        for address in &addresses {
            let version = address.contains("/v1.0/teams(") || address.contains("/beta/teams(");
            assert!(version, "no operation of this version: {address}");
            let sooner = self.sooner.remove(address);
            if let Some(before) = self.checked.insert(address.clone(), now) {
                assert!(sooner || now - before >= INTERVAL, "{address} after {:?}", now - before);
            }
            self.times.push(now);
        }
        for (count, begin) in (1_u32..).zip(self.times.iter().rev().take(400)) {
            let most = f64::from(RATE) * (now - *begin).as_secs_f64() + 20.001;
            assert!(f64::from(count) <= most, "{count} checks in {:?}", now - *begin);
        }
        addresses
    }

    fn told(&mut self, report: &Report<u8>) {
        match report {
            Report::Ended(key, _) => assert!(self.inside.remove(key), "{key} ended twice"),
            Report::Started(key) | Report::Checked(key, _) => {
                assert!(self.inside.contains(key), "{key} is not in the set");
            }
            _ => {}
        }
    }
}

fn response(input: &mut Input<'_>, items: usize) -> Response<Bytes> {
    let status = input.status();
    let body = if items == 1 {
        input.document()
    } else {
        let mut responses = Vec::new();
        for at in 0..items {
            let position = match input.byte() % 8 {
                0 => continue,                       // missing
                1 => usize::from(input.byte()) % 24, // doubled or unknown
                _ => items - at,
            };
            let item = json!({ "id": position.to_string(), "status": input.status(),
                "headers": { "RETRY-After": "7" }, "body": input.document() });
            responses.push(item);
        }
        json!({ "responses": responses })
    };
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response
}

/// Drives a set through whatever the bytes say.
///
/// # Panics
///
/// If an operation is checked early, lost or ended twice, if a request leaves the origin or mixes
/// versions, if the rate is not kept, or if the set gets stuck.
pub fn drive(bytes: &[u8]) {
    let mut input = Input(bytes);
    let root = Uri::from_static("https://graph.microsoft.com/v1.0");
    let mut now = Instant::now();
    let mut set = Set::new::<TeamsAsyncOperation>(root.clone(), now, input.byte().into());
    set.set_rate(RATE);
    let mut oracle = Oracle::default();
    let mut under_way: Vec<(Envelope, Vec<String>)> = Vec::new();
    for turn in 0..20_000 {
        assert!(turn < 19_999, "stuck: {set:?}");
        if !input.0.is_empty() && input.byte() % 4 == 0 {
            let key = input.byte() % 64;
            let version = if key % 3 == 0 { "beta" } else { "v1.0" };
            let path = format!("/{version}/teams('{key}')/operations('{key}')");
            let at = format!("https://graph.microsoft.com{path}");
            if input.byte() % 4 == 0 {
                assert_eq!(set.remove(&key, now).is_some(), oracle.inside.remove(&key));
            } else if let Ok(uri) = at.parse() {
                let polling = Polling::default().no_timeout();
                let poller = Poller::new::<TeamsAsyncOperation>(Started::at(uri), polling, now, 7);
                let added = set.insert(key, poller, now).is_ok();
                assert_eq!(added, oracle.inside.insert(key), "a key is never replaced");
                if added {
                    oracle.sooner.insert(at);
                }
            }
        }
        now += Duration::from_millis(u64::from(input.byte()) * 40);
        let pending = match set.next(now) {
            SetStep::Wait(wait, _) => {
                if under_way.is_empty() || input.byte() % 2 == 0 {
                    now += wait;
                }
                true
            }
            SetStep::Pending => true,
            SetStep::Send(dispatch) => {
                let (request, envelope) = dispatch.request();
                let addresses = oracle.sending(&request, now);
                assert_eq!(envelope.len(), addresses.len());
                under_way.push((envelope, addresses));
                false
            }
            SetStep::Event(report) => {
                oracle.told(&report);
                false
            }
            SetStep::Done => {
                assert!(oracle.inside.is_empty(), "lost: {:?}", oracle.inside);
                if input.0.is_empty() {
                    return;
                }
                false
            }
            SetStep::Start(_) => unreachable!("nothing was queued"),
        };
        assert_eq!(set.len(), oracle.inside.len());
        if pending && under_way.is_empty() && input.byte() % 16 == 0 {
            set = saved::reread(&set, root.clone(), set.latest());
        }
        if !pending || under_way.is_empty() {
            continue;
        }
        let at = usize::from(input.byte()) % under_way.len();
        let (envelope, addresses) = under_way.swap_remove(at);
        let choice = if input.0.is_empty() { 3 } else { input.byte() % 8 };
        match choice {
            0 => drop(envelope),
            1 => set.failed(envelope, &Error::transport("connection reset"), now),
            2 => {
                oracle.sooner.extend(addresses);
                set.unsent(envelope, now);
            }
            _ => {
                let response = response(&mut input, addresses.len());
                // After anything but a plain 200, the next check may be sent at once.
                let whole = String::from_utf8_lossy(response.body()).into_owned();
                if response.status() != StatusCode::OK || whole.contains("\"status\":4") {
                    oracle.sooner.extend(addresses);
                }
                if let Received::Unauthorized(envelope, response) =
                    set.received(envelope, response, now)
                {
                    set.authorized(envelope, &response, input.byte() % 2 == 0, now);
                }
            }
        }
    }
}
