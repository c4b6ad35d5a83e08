use super::*;
use crate::args::Global;
use crate::settings::Inputs;

#[test]
fn labels_are_names_that_kubernetes_takes() {
    let check = |name: &str, expect: &str| {
        let document = format!("[profiles.\"{name}\"]\nclient_id = \"a\"\n");
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("m2m.toml");
        std::fs::write(&config, document).unwrap();
        let global = Global { config: Some(config), ..Global::default() };
        let flags = crate::args::ProfileFlags::default();
        let environment = crate::settings::env::Environment::default();
        let inputs =
            Inputs { global: &global, flags: &flags, environment: &environment, directory: directory.path() };
        let settings = Settings::resolve(inputs).unwrap();
        assert_eq!(Plan { settings: &settings, directory: directory.path() }.label(), expect);
    };
    check("orders", "orders");
    check("Orders_API.v2", "orders-api-v2");
    check("-äö-", "m2m");
}
