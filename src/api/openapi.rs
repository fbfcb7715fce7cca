//! `/v1/openapi.json`: the API described, for those who write a client.
//!
//! The document is kept by hand beside the routes; tests hold it to them and to what a daemon answers.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

/// OpenAPI 3.1.
const DOCUMENT: &str = include_str!("openapi.json");

/// `GET /v1/openapi.json`
pub(super) async fn show() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    /// Every source that has routes: the router's, and those of resources that keep their own.
    const SOURCES: [&str; 8] = [
        include_str!("mod.rs"),
        include_str!("attachments.rs"),
        include_str!("effects.rs"),
        include_str!("mail.rs"),
        include_str!("mcp.rs"),
        include_str!("memory.rs"),
        include_str!("provision.rs"),
        include_str!("tools.rs"),
    ];

    /// `get /v1/status` and so on, as the sources have them.
    fn routes() -> BTreeSet<String> {
        SOURCES.into_iter().flat_map(routes_of).collect()
    }

    fn routes_of(source: &str) -> BTreeSet<String> {
        let routes = source.split(".route(\"").skip(1).flat_map(|route| {
            let (path, rest) = route.split_once('"').unwrap();
            let handlers = rest.lines().next().unwrap_or_default();
            let methods = ["get", "post", "delete", "put"].map(|method| (method, format!("{method}(")));
            let served = methods.into_iter().filter(move |(_, call)| handlers.contains(call.as_str()));
            served.map(move |(method, _)| format!("{method} {path}"))
        });
        routes.collect()
    }

    fn documented() -> BTreeSet<String> {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let paths = document["paths"].as_object().unwrap().clone();
        let all = paths.into_iter().flat_map(|(path, operations)| {
            let methods: Vec<_> = operations.as_object().unwrap().keys().cloned().collect();
            methods.into_iter().map(move |method| format!("{method} {path}"))
        });
        all.collect()
    }

    #[test]
    fn every_source_with_routes_is_read() {
        let merged = SOURCES[0].matches(".merge(").count();
        assert_eq!(merged, SOURCES.len() - 1, "a resource with routes of its own belongs into SOURCES");
    }

    #[test]
    fn every_route_is_in_the_document_and_nothing_else() {
        assert!(routes().len() > 15, "{:?}", routes());
        assert_eq!(documented(), routes());
    }

    #[test]
    fn the_document_is_of_this_version_and_refers_to_nothing_that_is_missing() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        for part in DOCUMENT.split("\"$ref\": \"#").skip(1) {
            let pointer = part.split_once('"').unwrap().0;
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
