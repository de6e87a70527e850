//! What every handler works with.

use std::sync::Arc;

use cronfleet_store::Store;
use tokio_util::sync::CancellationToken;

use crate::bus::EventBus;
use crate::calendars::Calendars;
use crate::election::Leadership;
use crate::fleet_clock::FleetClock;
use crate::mint::Mint;
use crate::nudge::Nudges;
use crate::password::Passwords;
use crate::seal::Sealer;
use crate::windows::Windows;

use super::forecast_basis::Forecasts;
use super::streams::Streams;
use super::throttle::Throttle;

/// What the HTTP side is told at its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Id of this center.
    pub center: String,
    /// IANA name of the time zone proposed for new jobs.
    pub default_time_zone: String,
    /// `host:port` that agents dial.
    pub agent_address: String,
    /// SHA-256 of the center's CA certificate.
    pub ca_sha256: [u8; 32],
    /// Whether people connect by TLS; decides about `Secure` cookies and HSTS.
    pub is_tls: bool,
    /// Host names that requests may name besides `localhost` and literal addresses; `None` lets every name through.
    /// On loopback there must be a list, or a page of any site could reach the center under a name of its own.
    pub hosts: Option<Vec<String>>,
}

/// The parts of a center that the HTTP side works with.
pub struct Services {
    /// Durable state.
    pub store: Store,
    /// What changed.
    pub bus: EventBus,
    /// Where agents and planner are nudged.
    pub nudges: Nudges,
    /// Ids and secrets.
    pub mint: Mint,
    /// Seals secrets.
    pub sealer: Arc<Sealer>,
    /// The fleet's clock.
    pub clock: FleetClock,
    /// Whether this center plans.
    pub leadership: Leadership,
}

/// The state of the HTTP side. Clones share everything.
#[derive(Clone)]
pub struct HttpState {
    pub(super) store: Store,
    pub(super) calendars: Calendars,
    pub(super) bus: EventBus,
    pub(super) nudges: Nudges,
    pub(super) mint: Mint,
    pub(super) sealer: Arc<Sealer>,
    pub(super) clock: FleetClock,
    pub(super) windows: Windows,
    pub(super) leadership: Leadership,
    pub(super) settings: Arc<Settings>,
    pub(super) passwords: Passwords,
    pub(super) throttle: Throttle,
    pub(super) streams: Streams,
    pub(super) forecasts: Forecasts,
    pub(super) stop: CancellationToken,
}

impl HttpState {
    /// Brings together what handlers need. Streams end when `stop` is cancelled.
    pub fn new(services: Services, settings: Settings, stop: CancellationToken) -> Self {
        let Services {
            store,
            bus,
            nudges,
            mint,
            sealer,
            clock,
            leadership,
        } = services;
        Self {
            calendars: Calendars::new(store.clone()),
            windows: Windows::new(store.clone()),
            store,
            bus,
            nudges,
            mint,
            sealer,
            clock,
            leadership,
            settings: Arc::new(settings),
            passwords: Passwords::default(),
            throttle: Throttle::default(),
            streams: Streams::default(),
            forecasts: Forecasts::default(),
            stop,
        }
    }

    /// The windows, shared with this state.
    pub(crate) fn windows(&self) -> Windows {
        self.windows.clone()
    }
}
