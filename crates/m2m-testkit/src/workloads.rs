//! Platforms that give tokens to what runs on them, each as it really makes them: header, claims and their order of
//! magnitude, and the place and form of its keys.
//!
//! Sources: Kubernetes, "Managing Service Accounts" (bound tokens, issuer discovery); GitHub, "OpenID Connect
//! reference"; SPIFFE JWT-SVID and Trust Domain and Bundle; AWS IAM, "Outbound identity federation"
//! (`sts:GetWebIdentityToken`).
//! Kept out: the header `x5t` of GitHub, which nothing here reads.

use axum::Router;
use axum::routing::get;
use http::{HeaderMap, StatusCode, header};
use m2m_proto::jose::{Algorithm, Claims, JwkSet, SigningKey};
use m2m_proto::spiffe::SpiffeBundle;
use m2m_proto::time::UnixTime;
use m2m_proto::workload_token::WorkloadToken;
use serde_json::{Value, json};

use crate::FixedKeys;

/// A platform with its key.
#[derive(Debug)]
pub struct Platform {
    /// What it calls itself: `iss`, or the trust domain of a SPIFFE server.
    pub issuer: &'static str,
    /// Where its keys are.
    pub jwks_url: &'static str,
    /// The header's `typ`; a cluster writes none.
    typ: Option<&'static str>,
    /// The bearer that a cluster wants to see before it shows its keys.
    bearer: Option<&'static str>,
    key: SigningKey,
    claims: fn(u64) -> Value,
}

/// The bearer that [`Platform::kubernetes`] wants to see.
pub const CLUSTER_BEARER: &str = "node.service-account.token";

impl Platform {
    /// A cluster whose keys need its own bearer, and TLS with its own authority where there is TLS.
    #[must_use]
    pub fn kubernetes() -> Self {
        Self {
            issuer: "https://kubernetes.default.svc.cluster.local",
            jwks_url: "https://kubernetes.default.svc/openid/v1/jwks",
            typ: None,
            bearer: Some(CLUSTER_BEARER),
            key: fresh(Algorithm::Es256, "k8s-7Yc2l0sJb9"),
            claims: |now| {
                json!({
                    "iss": "https://kubernetes.default.svc.cluster.local",
                    "sub": "system:serviceaccount:prod:orders",
                    "aud": ["https://as.example"],
                    "iat": now, "nbf": now, "exp": now + 3600,
                    "jti": "0d5a1c1a-6f0e-4a43-8a44-2f2f7f1f7f10",
                    "kubernetes.io": {
                        "namespace": "prod",
                        "node": {"name": "node-1", "uid": "f2b0f3c5-1d0c-43f2-8b7c-64f1f0a3a9e1"},
                        "pod": {"name": "orders-7d9f8b6c5-x2x4q", "uid": "5a2bd0a8-0b53-4e0d-9d34-9b5f0c4c2a55"},
                        "serviceaccount": {"name": "orders", "uid": "c0d3b7c9-5f86-4b8b-a6a7-bd0f7e0d9a12"}
                    }
                })
            },
        }
    }

    /// GitHub's token service for jobs.
    #[must_use]
    pub fn github() -> Self {
        Self {
            issuer: "https://token.actions.githubusercontent.com",
            jwks_url: "https://token.actions.githubusercontent.com/.well-known/jwks",
            typ: Some("JWT"),
            bearer: None,
            key: FixedKeys::signing(Algorithm::Rs256)
                .with_key_id("cc413527-173f-5a05-976e-9c52b1d7b431".to_owned()),
            claims: |now| {
                json!({
                    "jti": "7e5c1a0f-9a53-4c1e-8b21-2a9f0c3d4e5f",
                    "sub": "repo:acme/orders:environment:production",
                    "environment": "production",
                    "aud": "https://as.example",
                    "ref": "refs/heads/main", "ref_type": "branch", "ref_protected": "true",
                    "sha": "5e1f6b0a3c9d2e7f8a4b5c6d7e8f9a0b1c2d3e4f",
                    "repository": "acme/orders", "repository_id": "74", "repository_visibility": "private",
                    "repository_owner": "acme", "repository_owner_id": "65",
                    "run_id": "1234567890", "run_number": "10", "run_attempt": "2",
                    "runner_environment": "github-hosted",
                    "actor": "octocat", "actor_id": "12", "workflow": "deploy",
                    "workflow_ref": "acme/orders/.github/workflows/deploy.yml@refs/heads/main",
                    "job_workflow_ref": "acme/automation/.github/workflows/release.yml@refs/heads/main",
                    "head_ref": "", "base_ref": "", "event_name": "push",
                    "iss": "https://token.actions.githubusercontent.com",
                    "nbf": now - 600, "exp": now + 300, "iat": now
                })
            },
        }
    }

    /// A SPIRE server, whose JWT-SVIDs carry no `iss` and no `jti`.
    #[must_use]
    pub fn spiffe() -> Self {
        Self {
            issuer: "prod.example",
            jwks_url: "https://spire.prod.example/bundle.json",
            typ: Some("JWT"),
            bearer: None,
            key: fresh(Algorithm::Es256, "svid-9gU8cTkYw2"),
            claims: |now| {
                json!({
                    "aud": ["https://as.example"], "exp": now + 300, "iat": now,
                    "sub": "spiffe://prod.example/ns/prod/sa/orders"
                })
            },
        }
    }

    /// STS of an AWS account: `GetWebIdentityToken`.
    #[must_use]
    pub fn aws() -> Self {
        Self {
            issuer: "https://3f1b0a9c-5d0e-4f5a-9d0a-2b7f6c1e8d44.tokens.sts.global.api.aws",
            jwks_url: "https://3f1b0a9c-5d0e-4f5a-9d0a-2b7f6c1e8d44.tokens.sts.global.api.aws/.well-known/jwks.json",
            typ: Some("JWT"),
            bearer: None,
            key: FixedKeys::signing(Algorithm::Es384).with_key_id("EC384_0".to_owned()),
            claims: |now| {
                json!({
                    "aud": "https://as.example",
                    "sub": "arn:aws:iam::123456789012:role/orders",
                    "https://sts.amazonaws.com/": {
                        "aws_account": "123456789012",
                        "source_region": "eu-central-1",
                        "org_id": "o-abc1234567",
                        "principal_id": "arn:aws:iam::123456789012:role/orders"
                    },
                    "iss": "https://3f1b0a9c-5d0e-4f5a-9d0a-2b7f6c1e8d44.tokens.sts.global.api.aws",
                    "iat": now, "exp": now + 300,
                    "jti": "1c2d3e4f-aaaa-4bbb-8ccc-5d6e7f8a9b0c"
                })
            },
        }
    }

    /// A token as the platform makes it, with some members changed: a member of `changes` replaces the one of its
    /// name, objects member by member, and `null` takes it out.
    ///
    /// # Panics
    ///
    /// If no platform could sign the claims.
    #[must_use]
    pub fn token(&self, now: UnixTime, changes: &Value) -> String {
        let mut claims = (self.claims)(now.seconds());
        merge(&mut claims, changes);
        let claims = Claims::parse(claims.to_string().as_bytes()).expect("claims");
        WorkloadToken { claims: &claims, typ: self.typ }.build(&self.key).expect("a token")
    }

    /// Its keys, as it publishes them.
    #[must_use]
    pub fn document(&self) -> Vec<u8> {
        let set = JwkSet::encode([self.key.verifying_key().as_ref()]);
        match self.issuer.starts_with("https://") {
            true => set,
            false => SpiffeBundle::encode(
                &JwkSet::decode(&set).expect("a key set"),
                Some(std::time::Duration::from_secs(300)),
            ),
        }
    }

    /// A server that publishes its keys at the path of [`Platform::jwks_url`], and its metadata where OpenID Connect
    /// looks for them.
    ///
    /// # Panics
    ///
    /// If the URL has no path.
    pub fn router(&self) -> Router {
        let (document, bearer) = (self.document(), self.bearer);
        let path = self.jwks_url.splitn(4, '/').nth(3).expect("a path");
        let metadata = json!({"issuer": self.issuer, "jwks_uri": self.jwks_url}).to_string();
        let keys = async move |headers: HeaderMap| {
            let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
            let wanted = bearer.map(|bearer| format!("Bearer {bearer}"));
            match wanted.is_none() || shown == wanted.as_deref() {
                true => (StatusCode::OK, document.clone()),
                false => (StatusCode::UNAUTHORIZED, Vec::new()),
            }
        };
        Router::new()
            .route(&format!("/{path}"), get(keys))
            .route("/.well-known/openid-configuration", get(async move || metadata.clone()))
    }
}

fn fresh(algorithm: Algorithm, kid: &str) -> SigningKey {
    SigningKey::generate(algorithm).expect("a key").with_key_id(kid.to_owned())
}

fn merge(claims: &mut Value, changes: &Value) {
    let Some(changes) = changes.as_object() else { return };
    for (name, change) in changes {
        match (claims.get_mut(name), change) {
            (Some(own), Value::Object(_)) if own.is_object() => merge(own, change),
            (_, Value::Null) => {
                if let Some(claims) = claims.as_object_mut() {
                    claims.remove(name);
                }
            }
            _ => claims[name.as_str()] = change.clone(),
        }
    }
}
