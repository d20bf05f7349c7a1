//! What a test's thread logs, as text: a line for each event, with its level, its spans, and their fields.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, OnceLock};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Event, Metadata, Subscriber};
use tracing_core::span::Current;

#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    text: String,
    spans: Vec<Span>,
    /// The spans that the thread is in, the innermost last.
    entered: Vec<Id>,
}

struct Span {
    metadata: &'static Metadata<'static>,
    fields: String,
    parent: Option<Id>,
}

/// What this thread logs from now on, at every level.
pub fn logged() -> (Log, DefaultGuard) {
    // An event that another thread reaches first, while no thread logs, would be off for all until it is asked about again.
    static INTERESTED: OnceLock<Dispatch> = OnceLock::new();
    INTERESTED.get_or_init(|| Dispatch::new(Log::default()));
    let log = Log::default();
    (log.clone(), tracing::subscriber::set_default(log))
}

impl Log {
    pub fn text(&self) -> String {
        self.0.lock().unwrap().text.clone()
    }

    /// All of it, and the line that reports the end of a connection.
    pub fn closed(&self) -> (String, String) {
        let text = self.text();
        let line = text.lines().find(|line| line.contains(" closed ")).unwrap_or_else(|| panic!("{text}"));
        (text.clone(), line.to_owned())
    }
}

impl Seen {
    fn span(&mut self, id: &Id) -> &mut Span {
        &mut self.spans[usize::try_from(id.into_u64()).unwrap() - 1]
    }

    /// The names and fields of a span and of those around it, the outermost first.
    fn path(&mut self, mut next: Option<Id>) -> String {
        let mut path = String::new();
        while let Some(id) = next {
            let Span { metadata, fields, parent } = self.span(&id);
            let name = metadata.name();
            path.insert_str(0, &format!("{name}{{{}}}: ", fields.trim_start()));
            next = parent.clone();
        }
        path
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let mut seen = self.0.lock().unwrap();
        let around = attributes.is_contextual().then(|| seen.entered.last().cloned()).flatten();
        let parent = attributes.parent().cloned().or(around);
        seen.spans.push(Span { metadata: attributes.metadata(), fields: fields.others, parent });
        Id::from_u64(u64::try_from(seen.spans.len()).unwrap())
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        self.0.lock().unwrap().span(id).fields.push_str(&fields.others);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut seen = self.0.lock().unwrap();
        let around = event.is_contextual().then(|| seen.entered.last().cloned()).flatten();
        let path = seen.path(event.parent().cloned().or(around));
        let (level, target) = (event.metadata().level(), event.metadata().target());
        let Fields { message, others } = fields;
        writeln!(seen.text, " {level} {path}{target}: {message}{others}").unwrap();
    }

    fn current_span(&self) -> Current {
        let mut seen = self.0.lock().unwrap();
        match seen.entered.last().cloned() {
            Some(id) => Current::new(id.clone(), seen.span(&id).metadata),
            None => Current::none(),
        }
    }

    fn enter(&self, id: &Id) {
        self.0.lock().unwrap().entered.push(id.clone());
    }

    fn exit(&self, id: &Id) {
        let mut seen = self.0.lock().unwrap();
        let last = seen.entered.iter().rposition(|entered| entered == id).unwrap();
        seen.entered.remove(last);
    }
}

/// The fields of an event or a span: ` name=value` for each but the message.
#[derive(Default)]
struct Fields {
    message: String,
    others: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => write!(self.message, "{value:?}").unwrap(),
            name => write!(self.others, " {name}={value:?}").unwrap(),
        }
    }
}
