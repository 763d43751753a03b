//! The list of endpoints while it is being made: each gives a route and an entry in the OpenAPI document.

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodFilter, on};

use super::answer::answer;
use super::openapi::Document;
use super::{Api, Mount, Serve};

/// The endpoints so far.
pub(super) struct Endpoints {
    router: Router<Arc<Api>>,
    document: Document,
}

impl Endpoints {
    pub(super) fn new() -> Self {
        Self {
            router: Router::new(),
            document: Document::new(),
        }
    }

    pub(super) fn into_router(self) -> Router<Arc<Api>> {
        self.router
    }

    /// The OpenAPI document.
    pub(super) fn openapi(&self) -> String {
        self.document.render()
    }
}

impl Mount for Endpoints {
    fn mount<R: Serve>(mut self) -> Self {
        // Only an extension method has no filter, and RFC 9110 names all that we use.
        let method = MethodFilter::try_from(R::METHOD).unwrap_or(MethodFilter::POST);
        self.router = self.router.route(R::PATH, on(method, answer::<R>));
        self.document.describe::<R>();
        self
    }
}
