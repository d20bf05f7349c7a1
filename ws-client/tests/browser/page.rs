//! The scenarios in a browser, in a page or in a worker: what `WASM_BINDGEN_USE_BROWSER` and
//! `WASM_BINDGEN_USE_DEDICATED_WORKER` choose.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;

use super::scenarios::{self, Place};

pub(crate) struct Page;

impl Place for Page {
    fn echo(&self) -> String {
        at(option_env!("WS_BROWSER_ECHO"))
    }

    fn peer(&self) -> String {
        at(option_env!("WS_BROWSER_PEER"))
    }

    async fn within<T>(&self, time: Duration, future: impl Future<Output = T>) -> Option<T> {
        let (mut future, mut timer) = (pin!(future), pin!(sleep(time)));
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => timer.as_mut().poll(cx).map(|()| None),
        })
        .await
    }
}

/// An address that the script has given while this was built.
pub(crate) fn at(address: Option<&str>) -> String {
    address.expect("interop/80-wasm-browser.sh runs this").to_owned()
}

pub(crate) async fn sleep(time: Duration) {
    let promise = Promise::new(&mut |resolve, _| {
        let set: Function = Reflect::get(&js_sys::global(), &"setTimeout".into()).unwrap().unchecked_into();
        set.call2(&JsValue::NULL, &resolve, &(time.as_millis() as f64).into()).unwrap();
    });
    JsFuture::from(promise).await.unwrap();
}

/// Runs a future in a browser that has no `WebSocketStream`.
pub(crate) async fn without_stream<T>(future: impl Future<Output = T>) -> T {
    let (global, name) = (js_sys::global(), JsValue::from("WebSocketStream"));
    let stream = Reflect::get(&global, &name).unwrap();
    Reflect::delete_property(&global, &name).unwrap();
    let result = future.await;
    Reflect::set(&global, &name, &stream).unwrap();
    result
}

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(
            #[wasm_bindgen_test]
            async fn $name() {
                scenarios::$name(&Page).await;
            }
        )*

        /// The same on the `WebSocket` that every browser has.
        mod without_websocket_stream {
            use super::*;

            $(
                #[wasm_bindgen_test]
                async fn $name() {
                    without_stream(scenarios::$name(&Page)).await;
                }
            )*
        }
    };
}

scenarios! {
    messages_come_back
    a_subprotocol_is_chosen
    close_codes_arrive_both_ways
    a_lost_connection_is_reported
    send_waits_for_a_server_that_does_not_read
    what_cannot_connect_says_so
}
