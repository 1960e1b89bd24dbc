//! The shape of the house, as ARCHITECTURE.md draws it.

use anyhow::Result;
use jackfield_tidy::{
    Border, Package, circles, crossed, loose_ends, module_names_twice, names, scattered_impls, too_long, unsafe_or_abi,
    upward_imports, wide_comments, without_purpose,
};

/// Every package of ours, by its folder of source.
const PACKAGES: [&str; 17] = [
    "host/src",
    "host/author/src",
    "host/config/src",
    "host/limits/src",
    "host/loader/src",
    "host/oauth2/src",
    "host/outbound/src",
    "host/server/src",
    "host/services/src",
    "host/stand-in/src",
    "host/store/src",
    "plugin-api/src",
    "plugin-api/abi/src",
    "plugin-api/test-support/src",
    "tests/peers/src",
    "tests/support/src",
    "tests/tidy/src",
];

/// Which package may depend on which, and on which of the guarded crates.
const BORDERS: [Border; 14] = [
    Border { folder: "host/limits", may: &[] },
    Border { folder: "host/config", may: &["plugin-abi"] },
    Border { folder: "host/outbound", may: &["config", "reqwest"] },
    Border { folder: "host/store", may: &["config", "diesel", "limits"] },
    Border { folder: "host/oauth2", may: &["config", "limits", "outbound", "plugin-abi"] },
    Border { folder: "host/stand-in", may: &["oauth2"] },
    Border { folder: "host/loader", may: &["config", "libloading", "limits", "oauth2", "outbound", "plugin-abi"] },
    Border {
        folder: "host/services",
        may: &["config", "limits", "loader", "oauth2", "outbound", "store", "tower-sessions"],
    },
    Border { folder: "host/server", may: &["axum", "config", "limits", "loader", "services", "tower-sessions"] },
    Border {
        folder: "host/author",
        may: &["axum", "config", "loader", "oauth2", "outbound", "plugin-abi", "server", "services", "stand-in"],
    },
    Border { folder: "host", may: &["author", "config", "loader", "server", "services"] },
    Border { folder: "plugin-api", may: &["plugin-abi"] },
    Border { folder: "plugin-api/abi", may: &["abi_stable"] },
    Border { folder: "plugin-api/test-support", may: &["plugin", "plugin-abi"] },
];

/// Rooms of a package by floor, the ground first.
const FLOORS: [(&str, &[&[&str]]); 3] = [
    (
        "host/services/src",
        &[
            &["configuration_log", "detached", "provider_calls", "provider_owners", "request_source"],
            &["accounts", "audit", "database", "integrations", "keys", "open", "organization_settings", "session"],
            &["connect", "database_check", "principal"],
            &["revocations"],
            &["grants"],
            &["adoption", "log_ins", "program_reads", "proxy", "reload", "removals", "setup", "token_reads"],
        ],
    ),
    ("host/server/src", &[&["app", "connections", "telemetry"], &["control", "web"], &["startup"]]),
    (
        "host/store/src",
        &[
            &["hex", "key_id", "unavailable"],
            &["failure_reason"],
            &["error"],
            &["operator_help", "target"],
            &["database"],
            &["sealing"],
            &["chain"],
            &["tx"],
            &["store"],
            &["tables", "waiting"],
            &["audit"],
            &["transactions", "testing", "seeding", "recording"],
        ],
    ),
];

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_package_depends_on_packages_below_it_only() -> Result<()> {
    assert_none(&crossed(&BORDERS)?);
    Ok(())
}

#[test]
fn a_room_imports_rooms_below_it_only() -> Result<()> {
    for (folder, floors) in FLOORS {
        assert_none(&upward_imports(&Package::read(folder)?, floors));
    }
    Ok(())
}

#[test]
fn no_files_refer_to_each_other_in_a_circle() -> Result<()> {
    let mut wrong = Vec::new();
    for folder in PACKAGES {
        wrong.extend(circles(&Package::read(folder)?));
    }
    assert_none(&wrong);
    Ok(())
}

#[test]
fn the_methods_of_a_type_stand_in_three_files_at_most() -> Result<()> {
    let mut wrong = Vec::new();
    for folder in PACKAGES {
        wrong.extend(scattered_impls(folder, 3)?);
    }
    assert_none(&wrong);
    Ok(())
}

#[test]
fn no_module_of_a_package_has_the_name_of_another() -> Result<()> {
    let mut wrong = Vec::new();
    // The stand-ins are services beside each other, and each has its own authorize, token and so
    // on.
    for folder in PACKAGES.iter().filter(|folder| **folder != "tests/support/src") {
        wrong.extend(module_names_twice(folder)?);
    }
    assert_none(&wrong);
    Ok(())
}

#[test]
fn files_are_short() -> Result<()> {
    assert_none(&too_long(400)?);
    Ok(())
}

#[test]
fn files_open_with_what_they_are_for() -> Result<()> {
    assert_none(&without_purpose()?);
    Ok(())
}

#[test]
fn nothing_is_left_open() -> Result<()> {
    assert_none(&loose_ends()?);
    Ok(())
}

#[test]
fn comments_are_at_most_100_columns_wide() -> Result<()> {
    assert_none(&wide_comments(100)?);
    Ok(())
}

#[test]
fn unsafe_and_the_abi_stay_in_their_files() -> Result<()> {
    let may_be_unsafe = [
        "plugin-api/abi/src/root.rs",
        "plugin-api/src/export.rs",
        "host/loader/src/runtime/open_library.rs",
        "host/loader/src/runtime/worker/descriptors.rs",
        "host/loader/src/runtime/worker/exit.rs",
        "host/loader/src/runtime/worker/needed_calls.rs",
        "host/loader/src/runtime/worker/syscall_filter.rs",
        "host/src/allocator.rs",
        "host/store/src/database/libpq.rs",
        "host/store/src/database/sqlite_library.rs",
    ];
    assert_none(&unsafe_or_abi(&may_be_unsafe, &["host/loader/src/runtime/open_library.rs"])?);
    Ok(())
}

/// Names that the field's words have replaced.
const REPLACED: [&str; 58] = [
    "ByHost",
    "DrawnDeed",
    "DrawnField",
    "DrawnGrant",
    "Fate",
    "Followed",
    "Fresh",
    "GivenGrant",
    "Happened",
    "Heard",
    "Held",
    "Leaving",
    "LeadsTo",
    "Lender",
    "Lent",
    "Life",
    "Mistake",
    "Mistakes",
    "Night",
    "Orphan",
    "Pipelines",
    "Recipe",
    "Ring",
    "Said",
    "ShowAt",
    "Stage",
    "Telling",
    "Told",
    "Turn",
    "Turns",
    "Undrawn",
    "bad_night",
    "believe",
    "cut_off",
    "deeds",
    "detour",
    "disarm",
    "first_key",
    "give_up_unasked",
    "given_up",
    "going_on",
    "handed_on",
    "hangs_on",
    "hasten_setup",
    "hear",
    "keep_once",
    "keep_revoking",
    "landed",
    "lend",
    "lent",
    "look_for_revocations",
    "mark_whole",
    "put_to_the_test",
    "settle",
    "survey",
    "there_at",
    "unmark",
    "void_leases",
];

#[test]
fn names_that_were_replaced_do_not_come_back() -> Result<()> {
    let names = names()?;
    let found = REPLACED.iter().filter_map(|name| names.get(*name).map(|files| format!("{name}: {files:?}")));
    assert_none(&found.collect::<Vec<_>>());
    Ok(())
}
