//! Which path leads where.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;

use crate::config::error::SettingError;
use crate::opening::endpoint::{Endpoint, Gate};
use crate::web::handler::{AnyHandler, AnyPage};

/// The settings of a builder: per path an endpoint, a page, or both.
#[derive(Default)]
pub(crate) struct RouteList {
    paths: HashMap<String, Entry>,
    /// The first setting that cannot work, reported when the server is built.
    fault: Option<SettingError>,
}

/// The settings of one path.
#[derive(Default)]
struct Entry {
    endpoint: Option<Endpoint>,
    page: Option<AnyPage>,
    any_host: bool,
}

/// Routes by path, ready to be asked.
pub(crate) struct Routes {
    paths: matchit::Router<Route>,
    fallback: Option<AnyPage>,
}

/// What is at a path.
#[derive(Default)]
pub(crate) struct Route {
    pub(crate) endpoint: Option<(AnyHandler, Gate)>,
    pub(crate) page: Option<AnyPage>,
    /// The page is a health check, which is answered whatever host the request is addressed to.
    pub(crate) any_host: bool,
}

impl RouteList {
    pub(crate) fn endpoint(&mut self, path: &str, endpoint: Endpoint) {
        if self.paths.entry(path.to_owned()).or_default().endpoint.replace(endpoint).is_some() {
            self.fault(SettingError::new("route", format!("{path:?}"), "one path has one endpoint"));
        }
    }

    pub(crate) fn page(&mut self, path: &str, page: AnyPage) {
        if self.paths.entry(path.to_owned()).or_default().page.replace(page).is_some() {
            self.fault(SettingError::new("page", format!("{path:?}"), "one path has one page"));
        }
    }

    pub(crate) fn health(&mut self, path: &str, page: AnyPage) {
        self.page(path, page);
        self.paths.entry(path.to_owned()).or_default().any_host = true;
    }

    pub(crate) fn fault(&mut self, fault: SettingError) {
        self.fault.get_or_insert(fault);
    }

    pub(crate) fn build(self, fallback: Option<AnyPage>) -> Result<Routes, SettingError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.paths.is_empty() && fallback.is_none() {
            return Err(SettingError::new(
                "routes",
                "none",
                "a server needs at least one route; add one with route()",
            ));
        }
        let mut paths = matchit::Router::new();
        for (path, Entry { endpoint, page, any_host }) in self.paths {
            check_path(&path).map_err(|must| SettingError::new("route", format!("{path:?}"), must))?;
            let endpoint = endpoint.map(Endpoint::build).transpose()?;
            paths
                .insert(path.clone(), Route { endpoint, page, any_host })
                .map_err(|error| SettingError::new("route", format!("{path:?}"), error.to_string()))?;
        }
        Ok(Routes { paths, fallback })
    }
}

impl Routes {
    /// The route for a path, and its parameters, percent-decoded.
    ///
    /// A parameter that does not decode to UTF-8 matches no route.
    pub(crate) fn at(&self, path: &str) -> Option<(&Route, Vec<(String, String)>)> {
        let found = self.paths.at(path).ok()?;
        let mut params = Vec::with_capacity(found.params.len());
        for (name, value) in found.params.iter() {
            params.push((name.to_owned(), percent_decode_str(value).decode_utf8().ok()?.into_owned()));
        }
        Some((found.value, params))
    }

    pub(crate) fn fallback(&self) -> Option<&AnyPage> {
        self.fallback.as_ref()
    }
}

/// That a path could be requested, and that its parameters are written as the router reads them.
fn check_path(path: &str) -> Result<(), String> {
    if !path.starts_with('/') {
        return Err("a path starts with /".into());
    }
    // RFC 9112 §3.2.1: a target is a path and a query, in ASCII.
    if path.contains(['?', '#']) {
        return Err("a path has no query; ask Request::query_param for it".into());
    }
    if !path.is_ascii() || path.contains(char::is_whitespace) {
        return Err("a path matches as it is sent: percent-encode it, as in /b%C3%BCcher".into());
    }
    for segment in path.split('/') {
        let (old, new) = match segment.split_at_checked(1) {
            Some((":", name)) => (segment, format!("{{{name}}}")),
            Some(("*", name)) => (segment, format!("{{*{}}}", if name.is_empty() { "rest" } else { name })),
            Some(("<", name)) => (segment, format!("{{{}}}", name.trim_end_matches('>'))),
            _ => match segment
                .strip_prefix('{')
                .and_then(|rest| rest.split(['{', '}']).next()?.split_once(':'))
            {
                // The router would take what is behind the colon for a part of the name.
                Some((name, _)) => (segment, format!("{{{name}}}")),
                None => continue,
            },
        };
        return Err(format!(
            "a parameter is written {new}, without {old}; it matches any one segment, {{*name}} the rest"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::handler::any_page;
    use crate::web::response::html;

    fn routes(paths: &[&str]) -> Result<Routes, SettingError> {
        let mut list = RouteList::default();
        for path in paths {
            list.page(path, any_page(async |_| html("")));
        }
        list.build(None)
    }

    #[test]
    fn parameters_are_decoded() {
        let routes = routes(&["/", "/rooms/{room}", "/files/{*path}"]).unwrap();
        let params = |path| routes.at(path).map(|(_, params)| params);
        assert_eq!(params("/"), Some(vec![]));
        assert_eq!(params("/rooms/a%20b"), Some(vec![("room".into(), "a b".into())]));
        assert_eq!(params("/files/a/b"), Some(vec![("path".into(), "a/b".into())]));
        assert_eq!(params("/rooms/%ff"), None, "not UTF-8");
        assert_eq!(params("/rooms"), None);
        // Once: what a parameter says after that is the handler's to understand.
        assert_eq!(params("/rooms/%2525"), Some(vec![("room".into(), "%25".into())]));
        assert_eq!(params("/rooms/%252e%252E%2F"), Some(vec![("room".into(), "%2e%2E/".into())]));
        assert_eq!(params("/files/a%252Fb/%25"), Some(vec![("path".into(), "a%2Fb/%".into())]));
    }

    #[test]
    fn routes_that_cannot_be_are_named() {
        for (paths, wrong) in [
            (&["/a/{x}", "/a/{y}"][..], "/a/{"),
            (&["/a", "/a"], "\"/a\" is not possible"),
            (&["rooms"], "rooms"),
            (&["/rooms/:id"], "written {id},"),
            (&["/:id/x"], "written {id},"),
            (&["/files/*path"], "written {*path},"),
            (&["/files/*"], "written {*rest},"),
            (&["/rooms/<id>"], "written {id},"),
            (&["/rooms/{id:[0-9]+}"], "written {id},"),
            (&["/socket?token={token}"], "query_param"),
            (&["/b\u{fc}cher"], "percent-encode"),
            (&["/a b"], "percent-encode"),
            (&["/{"], "/{"),
            (&[], "none"),
        ] {
            let error = routes(paths).err().unwrap_or_else(|| panic!("{paths:?}")).to_string();
            assert!(error.contains(wrong), "{error}");
        }
        for path in ["/a:b", "/a*b", "/{{a:b}}", "/%3Aid", "/~user/@x", "/x/{*rest}"] {
            if let Err(error) = routes(&[path]) {
                panic!("{path}: {error}");
            }
        }
    }
}
