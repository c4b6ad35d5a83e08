//! What administrative acts do to APIs. Pure.
//!
//! Enforces: names are taken once; tokens are signed by keys that others can check, and live 1 s to 24 h; no API and no
//! scope goes while a client is granted it.

use std::sync::Arc;

use super::{Applied, Conflict, Entity, IfVersion, check_version, in_use};
use crate::registry::api::MAX_LIFETIME;
use crate::registry::{Api, ApiIdentifier, Registration};

fn check_api(api: &Api) -> Result<(), Conflict> {
    let name = || api.identifier.as_str().to_owned();
    if api.lifetime.as_secs() == 0 || api.lifetime > MAX_LIFETIME {
        return Err(Conflict::Lifetime(name()));
    }
    if api.algorithm.is_symmetric() {
        return Err(Conflict::SymmetricAlgorithm(name()));
    }
    Ok(())
}

impl Applied {
    pub(super) fn create_api(&mut self, api: Api) -> Result<(), Conflict> {
        if self.registry.apis.contains_key(&api.identifier) {
            return Err(Conflict::Exists(api.identifier.as_str().to_owned()));
        }
        check_api(&api)?;
        self.put_api(Api { version: 1, ..api });
        Ok(())
    }

    fn put_api(&mut self, api: Api) {
        self.touch(Entity::Api(api.identifier.clone()));
        self.registry.apis.insert(api.identifier.clone(), Arc::new(api));
    }

    pub(super) fn update_api(&mut self, api: Api, expected: IfVersion) -> Result<(), Conflict> {
        let name = api.identifier.as_str();
        let known = self.registry.api(name).ok_or_else(|| Conflict::Unknown(name.to_owned()))?;
        check_version(name, known.version, expected)?;
        check_api(&api)?;
        // A grant that names what its API no longer has would go on giving it away.
        for registration in self.registry.registrations() {
            let grant = registration.client().grants.get(name);
            if let Some(lost) = grant.and_then(|grant| grant.scopes.iter().find(|scope| !api.has(scope))) {
                return Err(in_use(&format!("the scope {} of {name}", lost.as_str()), registration));
            }
        }
        let (version, created_at) = (known.version + 1, known.created_at);
        self.put_api(Api { version, created_at, ..api });
        Ok(())
    }

    pub(super) fn delete_api(
        &mut self,
        identifier: &ApiIdentifier,
        expected: IfVersion,
    ) -> Result<(), Conflict> {
        let name = identifier.as_str();
        let known = self.registry.api(name).ok_or_else(|| Conflict::Unknown(name.to_owned()))?;
        check_version(name, known.version, expected)?;
        let granted = |one: &&Arc<Registration>| one.client().grants.contains(name);
        if let Some(registration) = self.registry.registrations().find(granted) {
            return Err(in_use(name, registration));
        }
        self.registry.apis.remove(identifier);
        self.touch(Entity::Api(identifier.clone()));
        Ok(())
    }
}
