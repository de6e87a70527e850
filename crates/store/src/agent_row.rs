//! Reading agents: their columns, and the lists that belong to each.

use std::collections::HashMap;

use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId};
use cronfleet_core::run_limits::RunLimits;
use sea_orm::ConnectionTrait;

use crate::agent::{AgentFacts, AgentRow, SpoolLevel};
use crate::agent_policy::AgentPolicy;
use crate::engine::Engine;
use crate::error::StoreError;
use crate::sql::{Row, Sql};

/// Begins a query for agents; conditions may follow.
pub(crate) fn select_agents() -> Sql {
    Sql::new(
        "SELECT a.id, a.name, a.state, a.key_fingerprint, a.certificate_serial, a.session_epoch, a.boot_id, \
         a.joined_at, a.last_seen_at, a.hostname, a.os, a.arch, a.version, a.is_root, a.cpu_count, \
         a.memory_total_bytes, a.cgroups, a.memory_available_bytes, a.load_1m, a.running_count, a.center, a.clock_offset_us, \
         a.round_trip_us, p.report, s.bytes, s.max_bytes, s.dropped_count, a.running_max, a.starts_per_second FROM agents a \
         LEFT JOIN agent_policies p ON p.agent_id = a.id LEFT JOIN agent_spools s ON s.agent_id = a.id WHERE 1 = 1",
    )
}

/// Reads [`select_agents`]; the lists are still empty.
pub(crate) fn read_agent(row: &mut Row) -> Result<AgentRow, StoreError> {
    Ok(AgentRow {
        id: row.next()?,
        name: row.next()?,
        state: row.next()?,
        key_fingerprint: row.next()?,
        certificate_serial: row.next()?,
        session_epoch: row.next()?,
        boot_id: row.maybe()?,
        joined_at: row.next()?,
        last_seen_at: row.maybe()?,
        facts: AgentFacts {
            hostname: row.next()?,
            os: row.next()?,
            arch: row.next()?,
            version: row.next()?,
            is_root: row.next()?,
            cpu_count: row.next()?,
            memory_total_bytes: row.next()?,
            cgroups: row.maybe()?,
        },
        memory_available_bytes: row.next()?,
        load_1m: row.next()?,
        running_count: row.next()?,
        center: row.maybe()?,
        clock_offset_us: row.maybe()?,
        round_trip_us: row.maybe()?,
        policy: match row.maybe::<String>()? {
            Some(report) => Some(AgentPolicy::from_json(&report)?),
            None => None,
        },
        spool: read_spool(row)?,
        run_limits: read_limits(row)?,
        groups: Vec::new(),
        slots_wanted: 0,
        slots_running: 0,
    })
}

pub(crate) fn read_limits(row: &mut Row) -> Result<RunLimits, StoreError> {
    Ok(RunLimits {
        running_max: row.maybe()?,
        starts_per_second: row.maybe()?,
    })
}

fn read_spool(row: &mut Row) -> Result<Option<SpoolLevel>, StoreError> {
    let (bytes, max_bytes, dropped_count) = (row.maybe()?, row.maybe()?, row.maybe()?);
    Ok(bytes
        .zip(max_bytes)
        .zip(dropped_count)
        .map(|((bytes, max_bytes), dropped_count)| SpoolLevel {
            bytes,
            max_bytes,
            dropped_count,
        }))
}

/// Goes on with the condition that the agent serves a group within reach.
pub(crate) fn serves(sql: Sql, reach: &Reach) -> Sql {
    match reach {
        Reach::Everything => sql,
        Reach::Groups(_) => sql
            .text(" AND EXISTS (SELECT 1 FROM group_agents ga WHERE ga.agent_id = a.id")
            .and_reach("ga.group_id", reach)
            .text(")"),
    }
}

/// Adds groups and slot counts within reach, one query each for all agents.
pub(crate) async fn fill_lists(
    engine: Engine,
    on: &impl ConnectionTrait,
    reach: &Reach,
    agents: &mut [AgentRow],
) -> Result<(), StoreError> {
    let ids: Vec<AgentId> = agents.iter().map(|agent| agent.id).collect();
    let mut place: HashMap<AgentId, &mut AgentRow> =
        agents.iter_mut().map(|agent| (agent.id, agent)).collect();
    let groups = Sql::new("SELECT agent_id, group_id FROM group_agents WHERE ")
        .one_of("agent_id", ids.iter().copied())
        .and_reach("group_id", reach)
        .text(" ORDER BY group_id")
        .all(on, |row| {
            Ok((row.next::<AgentId>()?, row.next::<GroupId>()?))
        })
        .await?;
    for (agent, group) in groups {
        if let Some(row) = place.get_mut(&agent) {
            row.groups.push(group);
        }
    }
    let wanted = Sql::new(format!(
        "SELECT ga.agent_id, {} FROM group_agents ga JOIN agents a ON a.id = ga.agent_id \
         JOIN jobs j{} ON j.group_id = ga.group_id WHERE a.state = 'active' AND j.kind = 'daemon' AND j.is_deleted = 0 \
         AND j.is_paused = 0 AND (j.is_target_all = 1 OR EXISTS (SELECT 1 FROM job_targets t \
         WHERE t.job_id = j.id AND t.agent_id = ga.agent_id)) AND ",
        engine.sum("j.processes"),
        engine.index("jobs_kind")
    ))
    .one_of("ga.agent_id", ids.iter().copied())
    .and_reach("ga.group_id", reach)
    .text(" GROUP BY ga.agent_id")
    .all(on, |row| Ok((row.next::<AgentId>()?, row.next::<u32>()?)))
    .await?;
    for (agent, count) in wanted {
        if let Some(row) = place.get_mut(&agent) {
            row.slots_wanted = count;
        }
    }
    let running = Sql::new(
        "SELECT s.agent_id, COUNT(*) FROM slots s JOIN jobs j ON j.id = s.job_id WHERE s.state = 'running' AND ",
    )
    .one_of("s.agent_id", ids.iter().copied())
    .and_reach("j.group_id", reach)
    .text(" GROUP BY s.agent_id")
    .all(on, |row| Ok((row.next::<AgentId>()?, row.next::<u32>()?)))
    .await?;
    for (agent, count) in running {
        if let Some(row) = place.get_mut(&agent) {
            row.slots_running = count;
        }
    }
    Ok(())
}
