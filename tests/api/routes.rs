//! The routes of `infra/template.yaml` against the routers of the functions.

use std::{collections::BTreeSet, path::Path};

use local_dev::template::Template;
use tests::TestApp;

#[tokio::test]
async fn the_template_leads_every_path_to_the_function_that_serves_it() {
    let template = Template::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
    let functions = TestApp::empty().await.paths();
    for (function, paths) in &functions {
        assert!(!paths.is_empty());
        for path in paths.iter().map(|path| path.replace(['{', '}'], "")) {
            for spelled in [path.clone(), format!("{path}/"), path.to_uppercase()] {
                let route = template.route("GET", &spelled).unwrap();
                assert_eq!(route.route.function, *function, "{spelled}");
            }
        }
    }
    let served: BTreeSet<&str> = functions.iter().map(|(function, _)| *function).collect();
    let routed: BTreeSet<&str> = template.routes.iter().map(|route| route.function.as_str()).collect();
    assert_eq!(served, routed, "no route leads to a function without paths");
    assert_eq!(template.route("GET", "/nowhere").unwrap().route.function, "api-system");
}
