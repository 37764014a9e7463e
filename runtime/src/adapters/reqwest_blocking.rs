//! The adapter for reqwest's blocking client.

use std::time::{Duration, Instant};

use ::reqwest::blocking as http_client;
use bytes::Bytes;
use http::{Request, Response};

use super::body::{announce_length, check_origin, read_response};
use super::reqwest::{answering_url, head_of};
use crate::protocol::Answer;
use crate::{Result, TimeLeft};

/// Sends a request and reads its response, as [`reqwest::send`](crate::reqwest::send) does.
///
/// # Errors
///
/// Those of [`reqwest::send`](crate::reqwest::send).
pub fn send(client: &http_client::Client, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
    announce_length(&mut request);
    let asked = request.uri().clone();
    let time_left = TimeLeft::of(&request);
    let start = Instant::now();
    let mut request: http_client::Request = request.try_into()?;
    *request.timeout_mut() = Some(time_left);
    let response = client.execute(request)?;
    check_origin(&asked, response.url().as_str())?;
    collect(response, time_left.saturating_sub(start.elapsed()))
}

fn collect(response: http_client::Response, time: Duration) -> Result<Response<Bytes>> {
    let head = head_of!(response);
    let body = read_response(head.status(), response, time)?;
    Ok(head.map(|()| body))
}

impl crate::blocking::Response for http_client::Response {
    fn into_answer(self) -> Result<Answer> {
        let url = answering_url(self.url().as_str());
        let response = collect(self, TimeLeft::DEFAULT.0)?;
        Ok(Answer::from(response).with_url(url))
    }
}
