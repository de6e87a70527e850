//! Joining with a token, renewing a certificate, opening a session.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::Arc;

use cronfleet_core::cgroup::{CgroupSupport, Controller};
use cronfleet_core::id::AgentId;
use cronfleet_store::{AgentFacts, AgentState, Conflict, NewAgent, SecretHash, StoreError};
use cronfleet_wire::{convert, v1};
use governor::{DefaultKeyedRateLimiter, Quota};
use sha2::{Digest, Sha256};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::outbox::Outbox;
use super::peer::peer;
use super::{Link, session};
use crate::bus::Change;
use crate::pki::{Issued, PkiError};

/// Tries to join that one address has per minute.
const JOINS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(30).expect("30 is not 0");
/// Longest text that is kept of what a machine says about itself.
const FACT_LENGTH_MAX: usize = 200;
/// Longest text that is kept of why control groups cannot do more.
const CGROUP_DETAIL_MAX: usize = 1_000;

/// Slows down who tries tokens.
#[derive(Debug)]
pub(super) struct JoinLimit(DefaultKeyedRateLimiter<IpAddr>);

impl Default for JoinLimit {
    fn default() -> Self {
        Self(DefaultKeyedRateLimiter::keyed(Quota::per_minute(
            JOINS_PER_MINUTE,
        )))
    }
}

impl JoinLimit {
    fn check(&self, address: IpAddr) -> Result<(), Status> {
        self.0
            .check_key(&address)
            .map_err(|_| Status::resource_exhausted("too many tries to join: wait a minute"))
    }
}

#[tonic::async_trait]
impl v1::link_server::Link for Link {
    type SessionStream = ReceiverStream<Result<v1::FromCenter, Status>>;

    async fn join(
        &self,
        request: Request<v1::JoinRequest>,
    ) -> Result<Response<v1::JoinResponse>, Status> {
        let address = request
            .remote_addr()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip());
        self.joins.check(address)?;
        let request = request.into_inner();
        let now = self.parts.clock.now();
        let agent = AgentId::from_uuid(self.parts.mint.id(now));
        let issued = self
            .parts
            .pki
            .issue(agent, &request.certificate_request, now)
            .map_err(refused)?;
        let facts = facts(
            request
                .facts
                .ok_or_else(|| Status::invalid_argument("facts are missing"))?,
        );
        let new = NewAgent {
            id: agent,
            name: name_of(&facts.hostname),
            key_fingerprint: issued.key_fingerprint.clone(),
            certificate_serial: issued.serial.clone(),
            facts,
        };
        let secret = SecretHash(Sha256::digest(&request.token_secret).into());
        let state = self
            .parts
            .store
            .join_agent(secret, &new, now)
            .await
            .map_err(|error| not_joined(&error))?;
        tracing::info!(agent.id = %agent, agent.name = new.name, is_active = state == AgentState::Active, %address, "agent joined");
        self.parts.bus.publish(Change::Agent {
            agent,
            groups: Vec::new(),
            is_online: false,
        });
        Ok(Response::new(self.answer(agent, issued)))
    }

    async fn renew(
        &self,
        request: Request<v1::RenewRequest>,
    ) -> Result<Response<v1::JoinResponse>, Status> {
        let peer = peer(&request)?;
        let known = self
            .parts
            .store
            .agent_standing(peer.agent)
            .await
            .map_err(|error| unavailable(&error))?;
        let is_known = known.is_some_and(|known| {
            known.key_fingerprint == peer.key_fingerprint && known.state != AgentState::Revoked
        });
        if !is_known {
            return Err(Status::permission_denied("the agent is not admitted"));
        }
        let issued = self
            .parts
            .pki
            .issue(
                peer.agent,
                &request.into_inner().certificate_request,
                self.parts.clock.now(),
            )
            .map_err(refused)?;
        if issued.key_fingerprint != peer.key_fingerprint {
            return Err(Status::invalid_argument(
                "a certificate is renewed for the same key",
            ));
        }
        self.parts
            .store
            .put_certificate(peer.agent, &issued.serial)
            .await
            .map_err(|error| unavailable(&error))?;
        tracing::info!(agent.id = %peer.agent, "certificate renewed");
        Ok(Response::new(self.answer(peer.agent, issued)))
    }

    async fn session(
        &self,
        request: Request<Streaming<v1::FromAgent>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let peer = peer(&request)?;
        let (outbox, outbound) = Outbox::new();
        self.sessions.spawn(session::run(
            Arc::clone(&self.parts),
            peer,
            request.into_inner(),
            outbox,
            self.stop.clone(),
        ));
        Ok(Response::new(ReceiverStream::new(outbound)))
    }
}

impl Link {
    fn answer(&self, agent: AgentId, issued: Issued) -> v1::JoinResponse {
        v1::JoinResponse {
            agent_id: convert::id_bytes(agent.as_uuid()),
            certificate: issued.certificate.into(),
            ca_certificate: self.parts.pki.ca_der().to_vec().into(),
            not_after_us: convert::time_us(issued.not_after),
        }
    }
}

/// What a machine says about itself, cut to what is shown.
pub(super) fn facts(sent: v1::Facts) -> AgentFacts {
    AgentFacts {
        hostname: shown(&sent.hostname),
        os: shown(&sent.os),
        arch: shown(&sent.arch).chars().take(32).collect(),
        version: shown(&sent.version).chars().take(64).collect(),
        is_root: sent.is_root,
        cpu_count: sent.cpu_count,
        memory_total_bytes: sent.memory_total_bytes.min(i64::MAX as u64),
        cgroups: sent.cgroups.and_then(cgroups),
    }
}

/// What control groups can do; what makes no sense counts as not said.
fn cgroups(sent: v1::Cgroups) -> Option<CgroupSupport> {
    let mut support = CgroupSupport::try_from(sent).ok()?;
    support.controllers.dedup();
    support.controllers.truncate(Controller::ALL.len());
    support.detail = support
        .detail
        .chars()
        .filter(|c| !c.is_control())
        .take(CGROUP_DETAIL_MAX)
        .collect();
    Some(support)
}

fn shown(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(FACT_LENGTH_MAX)
        .collect()
}

/// The first name of an agent: its host's.
fn name_of(hostname: &str) -> String {
    let name: String = hostname.trim().chars().take(64).collect();
    if name.is_empty() {
        "unnamed".to_owned()
    } else {
        name
    }
}

fn refused(error: PkiError) -> Status {
    match error {
        PkiError::Request { .. } => Status::invalid_argument(error.to_string()),
        error => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a certificate could not be issued"
            );
            Status::internal("the certificate could not be issued")
        }
    }
}

fn not_joined(error: &StoreError) -> Status {
    match error {
        StoreError::Conflict(Conflict::JoinTokenRefused) => Status::unauthenticated(
            "the join token is unknown, used up or expired: ask for a new one",
        ),
        error => unavailable(error),
    }
}

fn unavailable(error: &StoreError) -> Status {
    tracing::error!(error = error as &dyn std::error::Error, "the store failed");
    Status::unavailable("the center's database is not available")
}
