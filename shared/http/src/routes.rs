//! A function's routes and their description in OpenAPI, which is made only when somebody asks for it.
//!
//! `utoipa_axum` makes the description along with the routes. A function never shows it, and would pay for it at each cold
//! start and in the size of its program: without the feature `openapi` it is not even part of the program.

use axum::{
    Router,
    routing::{MethodFilter, MethodRouter},
};
use utoipa::openapi::HttpMethod;
use utoipa_axum::{PathItemExt, router::UtoipaMethodRouter};

/// The routes of a function.
#[derive(Clone)]
pub struct OpenApiRouter<S = ()> {
    pub(crate) router: Router<S>,
    pub(crate) paths: Vec<String>,
    #[cfg(feature = "openapi")]
    descriptions: Vec<std::sync::Arc<dyn Fn() -> utoipa::openapi::OpenApi + Send + Sync>>,
}

impl<S: Clone + Send + Sync + 'static> OpenApiRouter<S> {
    /// No routes yet.
    pub fn new() -> Self {
        Self {
            router: Router::new(),
            paths: Vec::new(),
            #[cfg(feature = "openapi")]
            descriptions: Vec::new(),
        }
    }

    /// Adds the handlers of one path, as [`routes!`](crate::routes) makes them.
    #[must_use]
    pub fn routes(mut self, routes: PathRoutes<S>) -> Self {
        self.router = self.router.route(&routes.path, routes.handlers);
        self.paths.push(routes.path);
        #[cfg(feature = "openapi")]
        self.descriptions.push(std::sync::Arc::new(move || {
            utoipa_axum::router::OpenApiRouter::new().routes((routes.describe)()).into_openapi()
        }));
        self
    }

    /// The same routes, which have their state.
    pub fn with_state<S2>(self, state: S) -> OpenApiRouter<S2> {
        OpenApiRouter {
            router: self.router.with_state(state),
            paths: self.paths,
            #[cfg(feature = "openapi")]
            descriptions: self.descriptions,
        }
    }

    /// These routes and those.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.paths.extend(other.paths);
        #[cfg(feature = "openapi")]
        self.descriptions.extend(other.descriptions);
        self
    }

    /// The paths, parameters in braces.
    pub fn paths(&self) -> &[String] {
        &self.paths
    }

    /// What the routes take and answer.
    #[cfg(feature = "openapi")]
    pub fn openapi(&self) -> utoipa::openapi::OpenApi {
        let mut whole = utoipa::openapi::OpenApi::default();
        self.descriptions.iter().for_each(|describe| whole.merge(describe()));
        whole
    }
}

impl<S: Clone + Send + Sync + 'static> Default for OpenApiRouter<S> {
    fn default() -> Self {
        Self::new()
    }
}

/// The handlers of one path.
pub struct PathRoutes<S> {
    path: String,
    handlers: MethodRouter<S>,
    #[cfg(feature = "openapi")]
    describe: fn() -> UtoipaMethodRouter<S>,
}

impl<S> PathRoutes<S> {
    /// Use [`routes!`](crate::routes).
    #[doc(hidden)]
    pub fn new<const N: usize>(
        paths: [String; N],
        handlers: MethodRouter<S>,
        describe: fn() -> UtoipaMethodRouter<S>,
    ) -> Self {
        #[cfg(not(feature = "openapi"))]
        let _not_part_of_the_program = describe;
        assert!(paths.iter().all(|path| *path == paths[0]), "handlers of several paths: {paths:?}");
        let path = paths.into_iter().next().unwrap_or_default();
        Self {
            path,
            handlers,
            #[cfg(feature = "openapi")]
            describe,
        }
    }
}

/// Use [`routes!`](crate::routes).
#[doc(hidden)]
pub fn method_filter(methods: &[HttpMethod]) -> MethodFilter {
    methods.iter().map(HttpMethod::to_method_filter).reduce(MethodFilter::or).expect("a handler has a method")
}

/// The handlers of one path, each with its `#[utoipa::path]`, for [`OpenApiRouter::routes`].
#[macro_export]
macro_rules! routes {
    ($($($part:ident)::+),+ $(,)?) => {
        $crate::PathRoutes::new(
            [$($crate::__utoipa_axum::routes!(@path [path()] of $($part)::+)),+],
            $crate::__axum::routing::MethodRouter::new()$(
                .on(
                    $crate::method_filter(&$crate::__utoipa_axum::routes!(@path [methods()] of $($part)::+)),
                    $($part)::+,
                )
            )+,
            || $crate::__utoipa_axum::routes!($($($part)::+),+),
        )
    };
}
