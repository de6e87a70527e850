//! The router of the REST interface. The only way to add a route is [`Api::route`], and the only way to make what it takes is
//! the macro [`route!`], which asks for a handler whose parameters declare a permission.
//!
//! A handler without one does not compile:
//! ```compile_fail
//! # use cronfleet_center::http::{HttpState, routes::permission_of};
//! async fn open_door(state: axum::extract::State<HttpState>) {}
//! let _ = permission_of(&open_door);
//! ```
//! The same handler with a permission does:
//! ```
//! # use cronfleet_center::http::{HttpState, guard::{Operator, Scope}, routes::permission_of};
//! async fn door(scope: Scope<Operator>, state: axum::extract::State<HttpState>) {}
//! assert_eq!(permission_of(&door).word(), "operator");
//! ```

use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use cronfleet_core::access::Role;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::guard::{Declared, Rule};
use super::state::HttpState;

/// What a handler's parameters ask of its caller. Compiles only for handlers that declare it.
pub fn permission_of<H, T>(_handler: &H) -> Rule
where
    H: Handler<T, HttpState>,
    T: Declared,
{
    T::RULE
}

/// One handler with its path, its documentation and its permission.
pub(super) struct DeclaredRoute {
    parts: UtoipaMethodRouter<HttpState>,
}

impl DeclaredRoute {
    /// Called by [`route!`] only.
    pub(super) fn new(rule: Rule, mut parts: UtoipaMethodRouter<HttpState>) -> Self {
        for item in parts.1.paths.values_mut() {
            let operations = [
                &mut item.get,
                &mut item.put,
                &mut item.post,
                &mut item.delete,
                &mut item.patch,
            ];
            for operation in operations.into_iter().flatten() {
                document(rule, operation);
            }
        }
        Self { parts }
    }

    /// Takes bodies of so many bytes instead of [`BODY_BYTES_MAX`](super::body::BODY_BYTES_MAX).
    #[must_use]
    pub(super) fn with_body_max(mut self, bytes: usize) -> Self {
        self.parts.2 = self.parts.2.layer(DefaultBodyLimit::max(bytes));
        self
    }
}

/// Adds to an operation's documentation what follows from its permission, and that every error has the same body.
fn document(rule: Rule, operation: &mut Operation) {
    let word = Extensions::builder()
        .add("x-permission", rule.word())
        .build();
    operation.extensions.get_or_insert_default().merge(word);
    let mut errors = vec![("default", "Any other error")];
    if rule != Rule::Public {
        errors.push(("401", "Nobody is signed in"));
        let requirement = |scheme: &str| SecurityRequirement::new(scheme, Vec::<String>::new());
        operation.security = Some(vec![requirement("cookie"), requirement("bearer")]);
    }
    match rule {
        Rule::Public | Rule::SignedIn => {}
        Rule::Administrator => errors.push(("403", "Only for administrators")),
        Rule::InGroup(role) => {
            errors.push(("404", "There is no such thing, or it is not yours to see"));
            if role > Role::Viewer {
                errors.push(("403", "Your role in the group is too low"));
            }
        }
    }
    for (status, description) in errors {
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("ErrorBody")))
            .build();
        let response = ResponseBuilder::new()
            .description(description)
            .content("application/json", content)
            .build();
        operation
            .responses
            .responses
            .entry(status.to_owned())
            .or_insert(RefOr::T(response));
    }
}

/// Declares one handler as a route. Path and method come from its `#[utoipa::path]`.
macro_rules! route {
    ($($handler:ident)::+) => {
        $crate::http::routes::DeclaredRoute::new(
            $crate::http::routes::permission_of(&$($handler)::+),
            utoipa_axum::routes!($($handler)::+),
        )
    };
}

pub(super) use route;

/// The REST interface in the making.
#[derive(Default)]
pub(super) struct Api {
    inner: OpenApiRouter<HttpState>,
}

impl Api {
    /// Adds a route.
    #[must_use]
    pub(super) fn route(self, route: DeclaredRoute) -> Self {
        Self {
            inner: self.inner.routes(route.parts),
        }
    }

    /// The router and its documentation.
    pub(super) fn finish(self) -> (axum::Router<HttpState>, utoipa::openapi::OpenApi) {
        self.inner.split_for_parts()
    }
}
