use aws_runtime::auth::PayloadSigningOverride;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;

/// The digest that a body is signed with, where it is known already: the client would compute it again for each try.
/// Every store compares it with what arrives, so that a body with another digest is refused.
#[derive(Debug)]
pub(super) struct SignedAs {
    sha256: String,
}

impl SignedAs {
    /// 64 hex digits in lower case.
    pub(super) fn new(sha256: &str) -> Self {
        Self { sha256: sha256.to_owned() }
    }
}

impl Intercept for SignedAs {
    fn name(&self) -> &'static str {
        "SignedAs"
    }

    fn modify_before_signing(
        &self,
        _context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(PayloadSigningOverride::Precomputed(self.sha256.clone()));
        Ok(())
    }
}
