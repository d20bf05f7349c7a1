//! `ws topics URL`: subscribes to topics of a server that speaks topics.v1, or publishes to one.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use ws_topics::{ClientError, Event, Position, SUBPROTOCOL, SubscribeRequest, TopicsClient};

use crate::args::{self, Subscribe, TopicsAction};
use crate::connect::Connecting;
use crate::failure::{Failure, Status};
use crate::input::{self, Input};
use crate::screen::{Output, hexadecimal, print, remark};
use crate::signal::Signals;

pub(crate) async fn run(args: args::Topics) -> Result<Status, Failure> {
    let mut connect = args.connect;
    if !connect.subprotocols.iter().any(|name| name == SUBPROTOCOL) {
        connect.subprotocols.push(SUBPROTOCOL.to_owned());
    }
    let once = matches!(args.action, TopicsAction::Publish { .. });
    let connecting = Connecting::new(args.url.as_deref(), &connect, |options| {
        if once {
            // Whoever publishes waits for it: a server that is not there is an error.
            options.backoff.max_failures = Some(1);
        }
    })?;
    let mut signals = Signals::new()?;
    let connections = connecting.reconnect(|| {}).on_wait(|retry| remark(Failure::of_wait(retry)));
    let client = TopicsClient::with_connections(connections);
    let work = async {
        match args.action {
            TopicsAction::Subscribe(args) => subscribe(&client, args).await,
            TopicsAction::Publish { topic, message: Some(message) } => {
                client.publish(topic, message).await.map(|_| ()).map_err(failure)
            }
            TopicsAction::Publish { topic, message: None } => publish_lines(&client, &topic).await,
        }
    };
    let ended = tokio::select! {
        done = work => done.map(|()| Status::Success),
        signal = signals.next() => Ok(signal),
    };
    client.close().await;
    ended
}

async fn subscribe(client: &TopicsClient, args: Subscribe) -> Result<(), Failure> {
    let mut request = SubscribeRequest::default().since(args.since);
    if let Some(messages) = args.last {
        request = request.last(messages);
    }
    let mut subscription = client.subscribe(args.topic.as_str(), request).await.map_err(failure)?;
    let is_filter = args.topic.contains(['+', '#']);
    let mut left = args.count;
    while left != Some(0) {
        let event = subscription.next().await.map_err(failure)?;
        if let (Event::Message { .. }, Some(left)) = (&event, &mut left) {
            *left = left.saturating_sub(1);
        }
        if args.json {
            print(&(Output::new().json(in_json(&event).to_string()) + "\n"))?;
        } else {
            show(&event, is_filter)?;
        }
    }
    Ok(())
}

/// A message is a line, after its topic if there may be several; all else is a remark.
fn show(event: &Event, is_filter: bool) -> Result<(), Failure> {
    match event {
        Event::Message { topic, message, .. } => {
            let text = message.as_text().map_or_else(|| hexadecimal(message.as_bytes()), str::to_owned);
            let topic = if is_filter { format!("{topic} ") } else { String::new() };
            return print(&Output::new().text(&format!("{topic}{text}\n")));
        }
        Event::Gap { lost: Some(1), .. } => remark("one message is missing here"),
        Event::Gap { lost: Some(lost), .. } => remark(format!("{lost} messages are missing here")),
        Event::Gap { .. } => remark("messages may be missing here; how many is not known"),
        Event::Disconnected => remark("the connection is lost"),
        Event::Resumed { missed: Some(missed), .. } => {
            remark(format!("connected again; {missed} missed messages are replayed"))
        }
        Event::Resumed { .. } => remark("connected again"),
        _ => {}
    }
    Ok(())
}

fn in_json(event: &Event) -> Value {
    let text = |position: Option<Position>| position.map(|position| position.to_string());
    match event {
        Event::Message { topic, position, message, .. } => {
            let mut json = json!({ "event": "message", "topic": topic, "position": position.to_string() });
            match message.as_text() {
                Some(text) => json["text"] = text.into(),
                None => json["base64"] = BASE64.encode(message.as_bytes()).into(),
            }
            json
        }
        Event::Gap { lost, range, .. } => {
            let (first, last) = (text(range.map(|(first, _)| first)), text(range.map(|(_, last)| last)));
            json!({ "event": "gap", "lost": lost, "first": first, "last": last })
        }
        Event::Disconnected => json!({ "event": "disconnected" }),
        Event::Resumed { missed, .. } => json!({ "event": "resumed", "missed": missed }),
        _ => json!({ "event": "other" }),
    }
}

async fn publish_lines(client: &TopicsClient, topic: &str) -> Result<(), Failure> {
    let mut lines = input::lines(false);
    loop {
        match lines.recv().await {
            Some(Input::Line(line)) => client.publish(topic, line).await.map(|_| ()).map_err(failure)?,
            Some(Input::Failed(why)) => return Err(Failure::other(why)),
            _ => return Ok(()),
        }
    }
}

fn failure(error: ClientError) -> Failure {
    let refused = |error: &dyn fmt::Display| Failure::new(Status::Refused, error.to_string());
    match error {
        ClientError::Connect(error) => (&*error).into(),
        ClientError::NoSubprotocol => refused(&error),
        error @ ClientError::Refused { .. } => refused(&error),
        error => Failure::other(error.to_string()),
    }
}
