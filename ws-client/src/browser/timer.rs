//! Time in a browser: `setTimeout` and `performance.now`, in a page and in a worker.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use js_sys::{Function, Reflect};
use wasm_bindgen::prelude::*;

/// A future that is ready after a time. Browsers let timers of pages in the background wait for a second or longer.
pub struct Sleep {
    state: Rc<RefCell<State>>,
    id: JsValue,
    /// What `setTimeout` calls; it lives as long as the timer.
    _fire: Closure<dyn FnMut()>,
}

enum State {
    Waiting(Option<Waker>),
    Fired,
}

/// `setTimeout` takes an `i32`.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

impl Sleep {
    #[doc(hidden)]
    pub fn new(time: Duration) -> Self {
        let state = Rc::new(RefCell::new(State::Waiting(None)));
        let fired = Rc::clone(&state);
        let fire = Closure::new(move || {
            if let State::Waiting(Some(waker)) = fired.replace(State::Fired) {
                waker.wake();
            }
        });
        // Rounded up: it is never ready too early.
        let millis = time.min(LONGEST).as_secs_f64() * 1000.0;
        let id = call("setTimeout", |set| set.call2(&JsValue::NULL, fire.as_ref(), &millis.ceil().into()));
        Self { state, id, _fire: fire }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut *self.state.borrow_mut() {
            State::Fired => Poll::Ready(()),
            State::Waiting(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        call("clearTimeout", |clear| clear.call1(&JsValue::NULL, &self.id));
    }
}

/// Calls a function of the page's or the worker's; every one of both has it.
fn call(name: &str, with: impl FnOnce(&Function) -> Result<JsValue, JsValue>) -> JsValue {
    let function = Reflect::get(&js_sys::global(), &name.into()).unwrap_or(JsValue::UNDEFINED);
    function.dyn_ref().and_then(|function| with(function).ok()).unwrap_or(JsValue::UNDEFINED)
}

/// The time since the page or the worker began: monotonic, unlike `Date`.
pub(crate) fn now() -> Duration {
    let performance = Reflect::get(&js_sys::global(), &"performance".into()).unwrap_or(JsValue::UNDEFINED);
    let millis = performance.dyn_ref().map_or(0.0, web_sys::Performance::now);
    Duration::try_from_secs_f64(millis / 1000.0).unwrap_or_default()
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").finish_non_exhaustive()
    }
}
