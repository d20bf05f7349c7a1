//! Rhai with limits for time, memory and recursion.

use std::alloc::System;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cap::Cap;
use rhai::{AST, Dynamic, Engine, EvalAltResult, Scope};

/// The stack size of the threads that evaluate. It is enough for [`CALL_LEVELS`] calls, each [`EXPRESSION_DEPTH`] deep,
/// and for dropping a value that is nested as deeply as the limit on elements allows.
pub(crate) const STACK: usize = 64 << 20;

/// Limits of one evaluation.
const TIME: Duration = Duration::from_secs(2);
const OPERATIONS: u64 = 20_000_000;
const CALL_LEVELS: usize = 32;
const EXPRESSION_DEPTH: usize = 32;
const OUTPUT: usize = 64 << 10;

/// Limits of one value in bytes and elements, including those of inner values.
const STRING: usize = 16 << 10;
const ARRAY: usize = 4096;
const MAP: usize = 512;

/// Limits of what a connection keeps.
const VARIABLES: usize = 64;
const FUNCTIONS: usize = 64;
const KEPT: usize = 4 << 20;

/// Limit of the heap of the whole program; running evaluations are stopped when it is exceeded. It is needed because a
/// value can be stored many times and keys of maps are not counted.
const MEMORY: usize = 128 << 20;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// The variables and functions of one connection.
pub(crate) struct Session {
    engine: Engine,
    scope: Scope<'static>,
    functions: AST,
    printed: Arc<Mutex<String>>,
    deadline: Arc<Mutex<Instant>>,
}

/// The result of an evaluation.
pub(crate) struct Outcome {
    pub(crate) printed: String,
    pub(crate) answer: Option<String>,
    pub(crate) error: Option<String>,
    /// Whether the source is incomplete.
    pub(crate) incomplete: bool,
}

impl Session {
    pub(crate) fn new() -> Self {
        let printed = Arc::new(Mutex::new(String::new()));
        let deadline = Arc::new(Mutex::new(Instant::now()));
        let engine = engine(printed.clone(), deadline.clone());
        Self { engine, scope: Scope::new(), functions: AST::empty(), printed, deadline }
    }

    /// Evaluates source. What the source defined before an error is kept.
    pub(crate) fn evaluate(&mut self, source: &str) -> Outcome {
        *lock(&self.deadline) = Instant::now() + TIME;
        let result = self.run(source);
        let printed = std::mem::take(&mut *lock(&self.printed));
        match result {
            Ok(answer) => Outcome { printed, answer, error: None, incomplete: false },
            Err(error) => {
                let incomplete = is_at_end(&error, source);
                Outcome { printed, incomplete, ..Outcome::error(in_words(&error)) }
            }
        }
    }

    fn run(&mut self, source: &str) -> Result<Option<String>, Box<EvalAltResult>> {
        // Curried values are not counted as elements, and can double at each step.
        if source.split(|c: char| c != '_' && !c.is_alphanumeric()).any(|word| word == "curry") {
            return Err("`curry` is not allowed here".into());
        }
        let parsed = self.engine.compile_with_scope(&self.scope, source)?;
        let whole = self.functions.merge(&parsed);
        if whole.iter_functions().count() > FUNCTIONS {
            return Err(format!("there would be more than {FUNCTIONS} functions").into());
        }
        let result = self.engine.eval_ast_with_scope::<Dynamic>(&mut self.scope, &whole);
        self.functions = whole;
        self.functions.clear_statements();
        // A second `let` of the same name hides the first; it need not be kept.
        self.scope = self.scope.clone_visible();
        if self.scope.iter_raw().map(|(name, _, value)| name.len() + size(value)).sum::<usize>() > KEPT {
            self.scope.clear();
            return Err(format!("the variables took more than {} MiB and were discarded", KEPT >> 20).into());
        }
        let answer = result?;
        Ok((!answer.is_unit()).then(|| shortened(format!("{answer:?}"))))
    }
}

impl Outcome {
    pub(crate) fn error(error: String) -> Self {
        Self { printed: String::new(), answer: None, error: Some(error), incomplete: false }
    }
}

/// Returns an interpreter without files, modules or `eval` that enforces the limits.
fn engine(printed: Arc<Mutex<String>>, deadline: Arc<Mutex<Instant>>) -> Engine {
    let mut engine = Engine::new();
    engine
        .disable_symbol("eval")
        .set_max_operations(OPERATIONS)
        .set_max_call_levels(CALL_LEVELS)
        .set_max_expr_depths(EXPRESSION_DEPTH, EXPRESSION_DEPTH)
        .set_max_variables(VARIABLES)
        .set_max_functions(FUNCTIONS)
        .set_max_string_size(STRING)
        .set_max_array_size(ARRAY)
        .set_max_map_size(MAP)
        .set_max_strings_interned(256);
    // Sleeping counts as one operation and would block a thread.
    let no_sleep = || -> Result<(), Box<EvalAltResult>> { Err("sleeping is not allowed here".into()) };
    engine.register_fn("sleep", move |_: i64| no_sleep());
    engine.register_fn("sleep", move |_: f64| no_sleep());

    let output = printed.clone();
    engine.on_print(move |line| print(&output, line));
    engine.on_debug(move |line, _, position| print(&printed, &format!("{position:?}: {line}")));
    engine.on_progress(move |operations| {
        if HEAP.allocated() > MEMORY {
            return Some(format!("the memory of {} MiB is used up", MEMORY >> 20).into());
        }
        let late = operations % 256 == 0 && Instant::now() >= *lock(&deadline);
        late.then(|| format!("it took more than {} s", TIME.as_secs()).into())
    });
    engine
}

/// Adds a line to the output; at the limit, a mark replaces everything that follows.
fn print(output: &Mutex<String>, line: &str) {
    let mut output = lock(output);
    if output.ends_with(MORE) {
        return;
    }
    if output.len() + line.len() < OUTPUT {
        output.push_str(line);
        output.push('\n');
    } else {
        output.push_str(MORE);
    }
}

/// Formats the answer, shortened to a readable length.
fn shortened(mut text: String) -> String {
    if text.len() > OUTPUT {
        text.truncate(text.floor_char_boundary(OUTPUT));
        text.push_str(MORE);
    }
    text
}

/// Whether the parser reached the end of the source and expects more.
fn is_at_end(error: &EvalAltResult, source: &str) -> bool {
    let EvalAltResult::ErrorParsing(_, position) = error else { return false };
    let source = source.trim_end();
    let end = source.lines().last().map_or(0, |line| line.chars().count());
    (position.line(), position.position()) > (Some(source.lines().count()), Some(end))
}

/// Returns the approximate size of a value in bytes.
fn size(value: &Dynamic) -> usize {
    let inner = if let Ok(array) = value.as_array_ref() {
        array.iter().map(size).sum()
    } else if let Ok(map) = value.as_map_ref() {
        map.iter().map(|(key, value)| ENTRY + key.len() + size(value)).sum()
    } else {
        value.as_immutable_string_ref().map_or(0, |text| text.len())
            + value.as_blob_ref().map_or(0, |b| b.len())
    };
    size_of::<Dynamic>() + inner
}

/// Formats an error for the user.
fn in_words(error: &EvalAltResult) -> String {
    match error {
        EvalAltResult::ErrorTerminated(why, _) => format!("stopped: {why}"),
        EvalAltResult::ErrorTooManyOperations(_) => {
            format!("stopped: it took more than {OPERATIONS} operations")
        }
        EvalAltResult::ErrorStackOverflow(_) => {
            format!("stopped: more than {CALL_LEVELS} calls inside one another")
        }
        other => other.to_string(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The approximate size of an entry of a map without its key and value.
const ENTRY: usize = 32;
const MORE: &str = "… (more is not shown)\n";
