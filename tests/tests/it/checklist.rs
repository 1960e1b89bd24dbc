//! The points of the security checklist, each with its tests. A point without a test, or a test
//! that does not exist, fails this.

use std::collections::BTreeSet;

use anyhow::Result;

use jackfield_tidy::sources;

/// Number of a point, the point in a few words, and its tests.
type Point = (u8, &'static str, &'static [&'static str]);

/// The last number.
const LAST: u8 = 68;

/// Points without tests, and why.
const NOT_HELD: [(u8, &str); 0] = [];

const HELD: &[Point] = &[
    (1, "states are random and from the system", &["each_log_in_binds_and_sends_a_new_state"]),
    (
        2,
        "a state counts once, also at the same time and on two hosts",
        &[
            "replay_of_a_callback",
            "a_double_submit_installs_once_and_shows_success_to_both",
            "one_answer_at_two_hosts_at_once_is_exchanged_once",
            "of_many_claims_one_wins_and_an_old_claim_is_worth_nothing",
        ],
    ),
    (3, "no state, or none expected, is no match", &["state_forged_or_left_out", "answers_are_checked"]),
    (
        4,
        "setups expire, and say so",
        &[
            "a_setup_lives_fifteen_minutes_and_none_comes_from_the_future",
            "each_refused_request_is_explained_on_the_next_page",
        ],
    ),
    (
        5,
        "a callback counts in its own browser",
        &[
            "state_fixation",
            "state_fixation_by_a_planted_session",
            "by_a_link_that_was_sent_and_a_second_browser_reads_why_it_may_not",
        ],
    ),
    (
        6,
        "and for the person who began it",
        &["state_fixation", "a_log_out_ends_the_setup", "another_provider_or_user_is_refused_in_this_order"],
    ),
    (
        7,
        "and while they may install",
        &[
            "callback_after_the_right_was_taken_away",
            "a_role_lost_between_two_steps_ends_the_setup",
            "who_loses_the_right_during_a_setup_installs_nothing_and_the_tokens_are_revoked",
        ],
    ),
    (
        8,
        "and in its organization",
        &["callback_under_another_organization", "an_organization_gone_between_two_steps_ends_the_setup"],
    ),
    (9, "and at its provider's redirect URI", &["cross_app_callback", "mix_up_between_two_providers"]),
    (
        10,
        "each provider has an id and a redirect URI of its own",
        &[
            "two_providers_with_one_id",
            "a_declared_provider_and_a_plugins_of_one_id_are_told",
            "cross_app_callback",
            "mix_up_between_two_servers_that_a_person_names",
            "mix_up_between_two_issuers_that_a_person_names",
            "each_instance_has_a_redirect_uri_of_its_own_and_the_form_says_it",
        ],
    ),
    (
        11,
        "a plugin has its own client registration and no other's",
        &["what_a_plugin_reaches_for_is_refused", "a_worker_inherits_nothing_but_its_socket"],
    ),
    (
        12,
        "no other site starts or ends a setup, or moves the page that began it",
        &[
            "cross_site_start_and_step_of_a_setup",
            "only_our_own_origin_may_act",
            "a_page_with_an_effect_needs_a_sender_that_is_known",
            "a_start_of_a_setup_by_nobody_knows_whom_is_asked_about",
            "a_start_of_a_setup_by_next_is_asked_about",
            "an_error_without_the_state_leaves_the_setup_standing",
            "the_page_behind_the_pop_up_stays_where_it_is",
        ],
    ),
    (13, "a changed setup is refused", &["each_tampered_field_breaks_the_signature", "random_tampering_is_refused"]),
    (
        14,
        "another build of a plugin ends its setups",
        &[
            "steps_changed_by_a_plugin_upgrade_end_setups_that_are_under_way",
            "a_changed_plugin_is_replaced_an_unchanged_one_left_alone_and_a_flow_of_the_changed_one_ends_with_a_word",
        ],
    ),
    (
        15,
        "steps are neither skipped nor repeated",
        &["a_form_of_another_step_is_not_this_steps_answer", "the_last_request_replayed_does_not_run_again"],
    ),
    (
        16,
        "a fresh S256 proof key goes along unless the provider wants none",
        &[
            "only_the_challenge_of_a_verifier_is_sent_unless_the_provider_wants_none",
            "pkce_downgrade_by_metadata",
            "a_certified_server_gives_no_code_without_a_proof_key",
        ],
    ),
    (
        17,
        "nothing makes the host leave it out",
        &["pkce_downgrade_by_metadata", "pkce_downgrade_by_a_stripped_challenge", "pkce_downgrade_by_a_retry"],
    ),
    (18, "whose an answer is, is compared to the letter", &["mix_up_by_an_issuer_that_is_missing_or_another"]),
    (
        19,
        "an error answer uses the state up and is shown as text",
        &["error_injection", "a_denied_consent_is_told_and_the_setup_is_used_up"],
    ),
    (20, "no parameter twice, no code with an error", &["parameter_pollution", "answers_are_checked"]),
    (
        21,
        "the redirect URI is the configured one, byte for byte in both requests",
        &[
            "the_redirect_uri_comes_from_the_url_prefix_and_not_from_headers",
            "the_stand_in_checks_grant_type_client_secret_and_redirect_uri_and_a_code_works_once",
        ],
    ),
    (
        22,
        "nothing leads to another host by a parameter",
        &[
            "open_redirect_by_next",
            "open_redirect_by_a_path",
            "open_redirect_by_a_plugin",
            "next_stays_within_this_host",
        ],
    ),
    (
        23,
        "the callback page is not kept, tells no referrer, and takes code and state out of its address",
        &["the_pages_of_a_setup_are_private_and_run_nothing_of_a_plugins", "token_leak_by_referrer"],
    ),
    (
        24,
        "no page may be framed, but those of a connect session by its program's page",
        &["clickjacking", "clickjacking_by_a_frame", "a_stranger_cannot_frame_a_session_and_the_program_can"],
    ),
    (
        25,
        "the end is told to one origin",
        &[
            "the_answer_goes_to_one_origin_and_holds_no_secret",
            "post_message_theft_by_an_opener_of_another_origin",
            "post_message_theft_by_an_opener_that_navigated",
            "a_page_of_another_origin_hears_nothing",
            "a_program_s_page_that_navigated_hears_nothing",
        ],
    ),
    (
        26,
        "what is told holds no secret",
        &["the_answer_goes_to_one_origin_and_holds_no_secret", "token_leak_by_dialog_page_error_or_api"],
    ),
    (
        27,
        "text of a provider cannot leave the script",
        &["hostile_text_cannot_leave_the_script_or_become_markup", "json_in_a_script_cannot_leave_it"],
    ),
    (28, "only the pop-up itself is listened to", &["post_message_forgery", "a_forged_message_connects_nothing"]),
    (
        29,
        "if the opener is cut off, the message comes over a channel of this setup",
        &[
            "where_the_provider_cuts_the_opener_off_the_answer_comes_over_the_channel",
            "the_answer_also_goes_over_the_channel_the_opener_named",
        ],
    ),
    (
        30,
        "a token answer that is none stores nothing",
        &[
            "every_bad_token_answer_ends_the_setup_with_nothing_stored",
            "answers_are_read_by_their_content_type",
            "an_answer_without_a_token_is_an_error",
        ],
    ),
    (
        31,
        "no request goes inside the network, by address, name, redirect or rebinding",
        &[
            "of_the_addresses_in_a_form_the_proxy_reaches_the_accepted_one",
            "ssrf_by_dns_rebinding",
            "ssrf_by_redirect_of_token_endpoint_and_account",
            "ssrf_by_redirect_of_discovery_keys_and_userinfo",
            "ssrf_by_redirect_of_the_revocation_endpoint",
            "ssrf_by_a_private_address",
            "special_purpose_addresses_are_not_public",
            "a_plain_http_endpoint_is_refused_unless_it_is_allowed",
        ],
    ),
    (
        32,
        "a client's secret is in no URL, error or log",
        &[
            "a_request_is_exact_in_every_form",
            "an_error_that_quotes_the_request_loses_its_secrets",
            "token_leak_by_dialog_page_error_or_api",
        ],
    ),
    (
        33,
        "granted scopes are compared with those asked for",
        &[
            "fewer_scopes_than_were_asked_for_are_told_in_the_log",
            "granted_scopes_are_read_in_every_format_and_compared",
        ],
    ),
    (
        34,
        "an ID token is verified before a claim is used",
        &["id_token_forgery", "each_claim_that_does_not_match_is_refused_by_name"],
    ),
    (
        35,
        "secrets are sealed, each in its place",
        &[
            "no_secret_is_in_the_database_its_log_of_writes_a_backup_the_host_s_log_or_what_a_crash_leaves",
            "a_re_install_refreshes_and_a_moved_sealed_value_does_not_open",
        ],
    ),
    (
        36,
        "there is no running without a key",
        &["a_key_is_created_once_and_only_the_hosts_user_can_read_it", "a_short_key_is_refused_and_not_shown"],
    ),
    (
        37,
        "no log at any level has a secret",
        &[
            "token_leak_by_log_or_command",
            "a_leaky_plugins_secrets_reach_neither_log_nor_page",
            "neither_log_nor_database_tells_key_secret_or_body",
            "an_error_about_a_body_says_where_and_quotes_nothing_of_it",
            "neither_log_nor_database_tells_what_an_event_says",
            "no_path_has_a_webhooks_key",
        ],
    ),
    (38, "one refresh for all callers on all hosts", &["sixty_four_callers_on_two_hosts_spend_one_refresh_token_once"]),
    (
        39,
        "a grant that is over is marked once, an outage backs off",
        &[
            "what_the_provider_has_revoked_needs_reauthentication_and_is_asked_for_once",
            "an_outage_keeps_the_old_token_while_it_lives_and_leaves_the_provider_alone",
        ],
    ),
    (
        40,
        "what is removed is revoked",
        &[
            "who_removes_an_integration_has_it_revoked_at_the_provider",
            "a_provider_that_is_down_keeps_nobody_from_removing_and_is_asked_again",
        ],
    ),
    (
        41,
        "nobody takes over what another has proved",
        &[
            "only_an_active_owner_connects_an_organization",
            "a_reader_of_one_repository_does_not_get_the_organizations_installation",
            "two_people_finishing_at_once_leave_one_row_each",
            "nobody_claims_the_installation_of_another",
        ],
    ),
    (
        42,
        "equal ids of two instances are two identities",
        &["an_instance_that_the_person_names_is_connected", "an_identity_is_refreshed_and_linked_once"],
    ),
    (43, "an equal e-mail address links nothing", &["account_takeover_by_an_email_address"]),
    (
        44,
        "a link that is sent counts once, in one browser, for what it names",
        &[
            "by_a_link_that_was_sent_and_a_second_browser_reads_why_it_may_not",
            "a_customer_without_an_account_connects_slack_and_the_session_is_used_up",
            "an_integration_is_connected_again_and_no_other_account_in_its_place",
            "the_nonce_of_the_programs_page_is_the_proof",
        ],
    ),
    (
        45,
        "a re-install replaces tokens, and the old ones are revoked",
        &[
            "a_re_install_refreshes_everything_and_adds_no_rows",
            "tokens_of_a_setup_for_another_account_are_revoked_and_the_account_that_is_meant_works_on",
        ],
    ),
    (
        46,
        "a call that is not signed is refused",
        &[
            "a_call_that_nobody_has_signed_is_refused_whatever_it_asks",
            "the_first_signed_call_installs_and_later_ones_are_verified",
            "an_unsigned_request_is_refused_even_a_challenge",
            "an_event_that_nobody_has_signed_is_refused_also_a_challenge",
            "without_a_signing_secret_nobody_is_asked",
        ],
    ),
    (
        47,
        "a call is of now",
        &[
            "a_call_is_taken_for_five_minutes_and_not_from_the_future",
            "a_request_is_accepted_for_five_minutes_either_way",
            "an_event_is_taken_for_five_minutes_either_way",
        ],
    ),
    (
        48,
        "a delivery that is repeated acts once",
        &[
            "a_delivery_that_is_repeated_acts_once_and_is_answered_each_time",
            "a_repeated_event_acts_once_and_is_answered_each_time",
            "a_delivery_is_known_for_two_days_and_of_many_at_once_one_is_news",
        ],
    ),
    (
        49,
        "a call acts in its own organization",
        &[
            "a_call_for_one_organization_changes_nothing_of_another",
            "an_event_of_a_workspace_that_is_not_installed_changes_nothing",
            "a_workspace_uninstall_leaves_the_install_of_its_enterprise_alone",
            "an_uninstall_marks_the_integration_with_all_its_grants_and_says_who_did_it",
        ],
    ),
    (
        50,
        "removal and revocation end the same in any order",
        &[
            "uninstall_and_revocation_in_any_order_and_twice_end_the_same",
            "tokens_that_rotate_end_the_same_in_any_order_too",
            "an_event_from_before_a_re_install_ends_nothing_of_it_and_an_older_grant_all_the_same",
            "the_echo_of_a_re_install_does_not_end_what_has_replaced_it",
        ],
    ),
    (
        51,
        "large and slow bodies cost nobody else anything",
        &[
            "a_body_over_the_limit_is_refused",
            "slow_bodies_hold_nobody_up",
            "a_flood_of_events_leaves_setups_their_turn",
            "a_key_has_so_many_under_way_and_takes_no_room_from_others",
        ],
    ),
    (
        52,
        "a library that differs from the lock is not loaded, and the rest is",
        &[
            "a_library_that_differs_from_the_lock_in_anything_is_refused_with_both_values",
            "a_host_starts_with_the_rest_when_one_library_differs_from_the_lock",
            "a_plugin_for_an_incompatible_abi_is_refused_before_any_of_it_runs",
        ],
    ),
    (
        53,
        "nor one at a place that others can write, or by a path",
        &[
            "a_name_with_path_parts_and_a_path_that_climbs_are_refused",
            "a_library_that_is_a_symbolic_link_or_no_file_is_refused",
            "a_library_that_others_can_write_or_replace_is_refused_until_the_help_is_followed",
        ],
    ),
    (
        54,
        "what was judged is what is loaded",
        &[
            "a_library_swapped_between_check_and_load_is_loaded_as_it_was_checked",
            "a_library_that_is_overwritten_once_it_was_judged_changes_nothing",
        ],
    ),
    (
        55,
        "a plugin that fails ends one setup",
        &[
            "a_plugin_that_crashes_costs_one_setup",
            "a_plugin_that_wants_all_memory_costs_one_setup",
            "a_plugin_that_comes_to_no_end_is_ended",
            "a_panic_wherever_it_is_costs_one_setup",
            "too_much_of_anything_costs_one_setup_and_says_the_limit",
            "a_visit_runs_so_many_steps_and_sends_so_many_requests",
            "a_slow_plugin_does_not_hold_up_the_host_and_joins_when_it_is_ready",
            "a_worker_that_nobody_asks_uses_no_processor",
            "no_worker_outlives_a_killed_host",
            "with_a_second_worker_nobody_waits_behind_an_endless_loop",
            "inside_the_host_panics_and_new_starts_use_up_no_descriptors",
        ],
    ),
    (
        56,
        "no plugin reads what is another's",
        &[
            "what_a_plugin_reaches_for_is_refused",
            "what_a_plugin_of_an_ordinary_users_host_reaches_for_is_refused",
            "a_worker_gets_the_system_calls_that_it_needs_and_no_others",
            "a_worker_has_no_rights_whatever_rights_its_host_has",
            "what_a_constructor_reaches_for_is_refused",
            "a_plugin_reaches_the_hosts_it_declares_as_far_as_the_operator_grants_them_and_no_others",
            "a_plugin_that_poses_as_slack_gets_none_of_its_options",
            "a_provider_stays_with_its_plugin_until_the_operator_gives_it_away",
            "a_plugin_brings_identities_of_its_own_types_only",
            "an_identity_type_belongs_to_the_plugin_of_the_provider_or_to_the_first",
            "a_grant_that_ends_touches_identities_of_its_own_plugin_only",
        ],
    ),
    (
        57,
        "a plugin's text is data",
        &[
            "nothing_that_runs_styles_fetches_or_breaks_out_is_left",
            "a_page_of_a_plugin_says_so_and_does_not_ask_for_the_hosts_password",
            "a_redirect_elsewhere_is_told_first_and_one_that_is_not_granted_is_refused",
            "what_a_plugin_answers_to_strangers_is_no_part_of_a_page",
        ],
    ),
    (
        58,
        "what a plugin leaves behind is shown and can be revoked",
        &[
            "an_integration_whose_plugin_is_gone_stays_visible_as_orphaned",
            "what_its_provider_has_left_behind_is_shown_as_orphaned_and_revoked_once_it_is_back",
        ],
    ),
    (
        59,
        "nothing that can be asked writes into the plugin folder",
        &["nothing_a_user_or_client_can_ask_of_a_host_writes_into_its_plugin_folder"],
    ),
    (
        60,
        "the session's cookie is the host's alone, and another after a log-in",
        &[
            "behind_https_the_cookie_is_secure_and_bound_to_the_host",
            "a_session_cookie_of_the_attackers_making",
            "a_log_in_changes_the_session_and_leads_where_the_person_was_going",
        ],
    ),
    (
        61,
        "floods of setups and logins are slowed down, and expired rows are removed",
        &[
            "a_flood_of_setups_is_stopped_and_others_are_not",
            "a_person_who_finishes_each_setup_is_never_stopped",
            "repeated_failed_log_ins_are_slowed_down",
        ],
    ),
    (
        62,
        "audit entries are written with the action, and no change to them stays unnoticed",
        &[
            "rows_are_chained_and_the_head_is_the_last",
            "an_entry_that_is_undone_leaves_no_row",
            "tampering_is_found_where_it_was_done",
            "the_log_is_read_in_pages_with_the_newest_first",
        ],
    ),
    (
        63,
        "a stranger's wrong passwords lock nobody out, guessing is slow, and a flood costs no memory",
        &[
            "wrong_passwords_of_a_stranger_lock_nobody_out_and_guessing_stays_slow",
            "many_strangers_guess_slowly_too",
            "one_stranger_keeps_nobody_else_out",
            "a_flood_of_log_ins_leaves_no_memory_behind",
            "a_full_queue_answers_at_once_and_known_devices_have_one_of_their_own",
        ],
    ),
    (
        64,
        "connections that say nothing end, and their number is bounded",
        &[
            "silent_connections_make_room_for_one_that_asks",
            "a_connection_without_a_head_ends_also_if_bytes_of_it_come",
            "nothing_and_a_byte_a_second_are_too_slow_and_pauses_are_not",
            "an_answer_that_is_not_taken_ends_the_connection",
        ],
    ),
    (
        65,
        "text from outside reaches database, log and terminal without control characters",
        &[
            "control_characters_are_refused_in_words_on_both_databases",
            "an_event_is_one_line_whatever_stands_in_it",
            "what_is_printed_stays_one_line_and_controls_no_terminal",
        ],
    ),
    (
        66,
        "secrets in a file that others may read are told, and https stays https",
        &[
            "a_secret_in_a_file_that_others_may_read_is_told",
            "behind_https_the_cookie_is_secure_and_bound_to_the_host",
            "an_ipv4_address_is_found_in_every_form",
        ],
    ),
    (
        67,
        "an organization is lent, shown and told its own only, also of an account that others have too",
        &[
            "a_person_s_token_is_lent_to_the_organization_that_brought_it_and_to_no_other",
            "a_link_alone_proves_no_right_to_the_account_s_own_token",
            "a_token_does_not_open_in_the_place_of_another_organization",
            "every_route_has_a_row_that_says_whom_it_serves",
            "an_integration_that_both_have_shows_neither_the_other",
            "a_secret_of_a_configuration_is_sealed_and_shown_to_nobody_and_kept",
        ],
    ),
    (
        68,
        "tokens, people, members and organizations can be taken back, and that and every log-in is audited",
        &[
            "a_token_is_made_listed_used_and_revoked",
            "a_limited_token_opens_its_integrations_and_nothing_else",
            "who_may_call_may_not_read_a_token_and_who_may_read_may_call",
            "only_owners_may_and_no_token_makes_another",
            "another_password_a_disabling_and_an_operators_word_end_sessions_and_setups",
            "a_log_in_that_has_begun_before_another_password_brings_no_session",
            "a_user_is_removed_and_the_tokens_of_their_accounts_are_revoked",
            "an_organization_is_removed_with_all_it_has_and_that_is_revoked",
            "refused_log_ins_are_counted_by_account_and_address_and_a_name_that_nobody_has_is_cut",
            "a_flood_of_refused_log_ins_from_everywhere_is_some_rows",
        ],
    ),
];

/// The names of all tests, of every crate.
fn tests() -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for (_, text) in
        ["host", "plugin-api", "plugins", "tests"].map(sources).into_iter().collect::<Result<Vec<_>>>()?.concat()
    {
        let mut is_test = false;
        for line in text.lines().map(str::trim_start) {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            let declared = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
            // The functions of proptest have parameters, and the same attribute.
            let name = declared.and_then(|rest| rest.split('(').next());
            if let Some(name) = name.filter(|_| std::mem::take(&mut is_test)) {
                names.insert(name.to_owned());
            }
        }
    }
    Ok(names)
}

#[test]
fn every_point_of_the_checklist_has_tests_that_exist() -> Result<()> {
    let tests = tests()?;
    let mut wrong = Vec::new();
    for number in 1..=LAST {
        let held = HELD.iter().filter(|(held, ..)| *held == number).count();
        let not_held = NOT_HELD.iter().filter(|(not_held, _)| *not_held == number).count();
        if held + not_held != 1 {
            wrong.push(format!("{number} stands in the tables {} times", held + not_held));
        }
    }
    for (number, point, names) in HELD {
        if names.is_empty() {
            wrong.push(format!("{number} ({point}) has no test"));
        }
        wrong.extend(
            names.iter().filter(|name| !tests.contains(**name)).map(|name| format!("{number}: no test `{name}`")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(NOT_HELD.iter().all(|(_, reason)| !reason.is_empty()));
    Ok(())
}
