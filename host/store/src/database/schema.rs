//! The tables, as the migrations create them.

diesel::table! {
    users (id) {
        id -> BigInt,
        email -> Text,
        name -> Text,
        password_hash -> Text,
        is_superuser -> Bool,
        date_added -> BigInt,
        disabled_at -> Nullable<BigInt>,
        session_generation -> BigInt,
    }
}

diesel::table! {
    organizations (id) {
        id -> BigInt,
        slug -> Text,
        name -> Text,
        date_added -> BigInt,
    }
}

diesel::table! {
    members (organization_id, user_id) {
        organization_id -> BigInt,
        user_id -> BigInt,
        role -> Text,
    }
}

diesel::table! {
    api_tokens (id) {
        id -> BigInt,
        organization_id -> BigInt,
        name -> Text,
        token_hash -> Binary,
        scopes -> Text,
        date_added -> BigInt,
        hint -> Nullable<Text>,
        created_by -> Nullable<Text>,
        integrations -> Nullable<Text>,
        expires_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    integrations (id) {
        id -> BigInt,
        provider -> Text,
        external_id -> Text,
        name -> Text,
        sort_name -> Text,
        sealed_metadata -> Nullable<Binary>,
        date_added -> BigInt,
        date_updated -> BigInt,
    }
}

diesel::table! {
    organization_integrations (organization_id, integration_id) {
        organization_id -> BigInt,
        integration_id -> BigInt,
        config -> Text,
        sealed_config -> Nullable<Binary>,
        sealed_metadata -> Nullable<Binary>,
        status -> Text,
        added_by -> Nullable<BigInt>,
        date_added -> BigInt,
        installed_at -> BigInt,
        sort_name -> Text,
        subject_id -> Nullable<Text>,
        subject_name -> Nullable<Text>,
        tags -> Text,
    }
}

diesel::table! {
    integration_tags (organization_id, integration_id, key) {
        organization_id -> BigInt,
        integration_id -> BigInt,
        key -> Text,
        value -> Text,
        sort_name -> Text,
    }
}

diesel::table! {
    organization_settings (organization_id) {
        organization_id -> BigInt,
        display_name -> Nullable<Text>,
        accent_color -> Nullable<Text>,
        allowed_origins -> Text,
        same_account -> Text,
        logo -> Nullable<Binary>,
        logo_type -> Nullable<Text>,
        logo_version -> Nullable<Text>,
        date_changed -> BigInt,
    }
}

diesel::table! {
    revocation_pauses (provider) {
        provider -> Text,
        until -> BigInt,
    }
}

diesel::table! {
    unlinked_integrations (id) {
        id -> BigInt,
        integration_id -> BigInt,
    }
}

diesel::table! {
    identity_providers (id) {
        id -> BigInt,
        #[sql_name = "type"]
        type_ -> Text,
        instance -> Text,
        date_added -> BigInt,
        plugin -> Text,
    }
}

diesel::table! {
    provider_owners (provider) {
        provider -> Text,
        plugin -> Text,
        signer -> Nullable<Text>,
        date_added -> BigInt,
    }
}

diesel::table! {
    identities (id) {
        id -> BigInt,
        identity_provider_id -> BigInt,
        external_id -> Text,
        status -> Text,
        scopes -> Text,
        sealed_data -> Binary,
        date_verified -> BigInt,
        date_added -> BigInt,
    }
}

diesel::table! {
    user_identities (user_id, identity_id) {
        user_id -> BigInt,
        identity_id -> BigInt,
        date_added -> BigInt,
    }
}

diesel::table! {
    sessions (session_key) {
        session_key -> Binary,
        sealed_data -> Binary,
        expires_at -> BigInt,
        user_id -> Nullable<BigInt>,
    }
}

diesel::table! {
    setups (session_key, provider) {
        session_key -> Binary,
        provider -> Text,
        sealed_data -> Binary,
        claim -> Nullable<BigInt>,
        expires_at -> BigInt,
        organization_id -> Nullable<BigInt>,
    }
}

diesel::table! {
    connect_sessions (id) {
        id -> BigInt,
        organization_id -> BigInt,
        token_hash -> Binary,
        status -> Text,
        made_by -> Text,
        subject_id -> Nullable<Text>,
        terms -> Text,
        sealed_data -> Binary,
        holder_hash -> Nullable<Binary>,
        failure -> Nullable<Text>,
        connected_id -> Nullable<BigInt>,
        idempotency_hash -> Nullable<Binary>,
        request_hash -> Nullable<Binary>,
        date_added -> BigInt,
        expires_at -> BigInt,
        date_ended -> Nullable<BigInt>,
    }
}

diesel::table! {
    seal_keys (id) {
        id -> Binary,
        sealed_key -> Binary,
        state -> Text,
        date_added -> BigInt,
    }
}

diesel::table! {
    grants (id) {
        id -> BigInt,
        integration_id -> BigInt,
        organization_id -> BigInt,
        name -> Text,
        subject -> Text,
        position -> Integer,
        sealed_tokens -> Binary,
        scopes -> Text,
        obtained_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        due_at -> Nullable<BigInt>,
        is_single_use -> Nullable<Bool>,
        status -> Text,
        reason -> Nullable<Text>,
        generation -> BigInt,
        installed_at -> BigInt,
    }
}

diesel::table! {
    grant_shares (grant_id, organization_id) {
        grant_id -> BigInt,
        organization_id -> BigInt,
    }
}

diesel::table! {
    refreshes (grant_id) {
        grant_id -> BigInt,
        lease -> Nullable<BigInt>,
        leased_until -> Nullable<BigInt>,
        sent_at -> Nullable<BigInt>,
        failures -> Integer,
        retry_at -> Nullable<BigInt>,
        failing_since -> Nullable<BigInt>,
        refusal -> Nullable<Text>,
        refusals -> Integer,
        refused_since -> Nullable<BigInt>,
    }
}

diesel::table! {
    revocations (id) {
        id -> BigInt,
        provider -> Text,
        external_id -> Text,
        name -> Text,
        organization_id -> Nullable<BigInt>,
        reason -> Text,
        status -> Text,
        sealed_given -> Nullable<Binary>,
        attempts -> Integer,
        retry_at -> BigInt,
        lease -> Nullable<BigInt>,
        leased_until -> Nullable<BigInt>,
        answer -> Nullable<Text>,
        setup -> Nullable<Text>,
        date_added -> BigInt,
        date_ended -> Nullable<BigInt>,
    }
}

diesel::table! {
    audit_log (id) {
        id -> BigInt,
        date -> BigInt,
        action -> Text,
        actor_kind -> Text,
        actor_id -> Nullable<BigInt>,
        actor_name -> Nullable<Text>,
        organization_id -> Nullable<BigInt>,
        organization -> Nullable<Text>,
        provider -> Nullable<Text>,
        integration_id -> Nullable<BigInt>,
        external_id -> Nullable<Text>,
        plugin_digest -> Nullable<Text>,
        result -> Text,
        detail -> Text,
        count -> BigInt,
        hash -> Binary,
    }
}

diesel::table! {
    audit_head (id) {
        id -> BigInt,
        count -> BigInt,
        hash -> Binary,
        mac -> Binary,
    }
}

diesel::table! {
    audit_keys (since) {
        since -> BigInt,
        sealed_key -> Binary,
    }
}

diesel::table! {
    audit_cut (id) {
        id -> BigInt,
        removed -> BigInt,
        hash -> Binary,
        target -> BigInt,
        entry -> BigInt,
        kept_since -> BigInt,
        date -> BigInt,
        key_since -> BigInt,
        mac -> Binary,
        lease -> Nullable<BigInt>,
        leased_until -> Nullable<BigInt>,
    }
}

diesel::table! {
    /// Entries that are not chained yet. On PostgreSQL only.
    audit_queue (date, host, number) {
        host -> BigInt,
        number -> BigInt,
        date -> BigInt,
        key_since -> BigInt,
        entry -> Text,
        mark -> Binary,
    }
}

diesel::table! {
    /// The columns of `audit_log` that say where in the queue a row was. On PostgreSQL only.
    #[sql_name = "audit_log"]
    audit_origins (id) {
        id -> BigInt,
        host -> Nullable<BigInt>,
        number -> Nullable<BigInt>,
    }
}

diesel::table! {
    configurations (file) {
        file -> Text,
        sealed_fingerprint -> Binary,
    }
}

diesel::joinable!(members -> organizations (organization_id));
diesel::joinable!(members -> users (user_id));
diesel::joinable!(api_tokens -> organizations (organization_id));
diesel::joinable!(connect_sessions -> organizations (organization_id));
diesel::joinable!(grants -> integrations (integration_id));
diesel::joinable!(grant_shares -> grants (grant_id));
diesel::joinable!(refreshes -> grants (grant_id));
diesel::joinable!(organization_integrations -> integrations (integration_id));
diesel::joinable!(organization_settings -> organizations (organization_id));
diesel::joinable!(identities -> identity_providers (identity_provider_id));
diesel::joinable!(user_identities -> identities (identity_id));
diesel::allow_tables_to_appear_in_same_query!(audit_head, audit_keys);
diesel::allow_tables_to_appear_in_same_query!(connect_sessions, setups);
diesel::allow_tables_to_appear_in_same_query!(
    users,
    provider_owners,
    organizations,
    connect_sessions,
    members,
    api_tokens,
    integrations,
    organization_integrations,
    integration_tags,
    organization_settings,
    identity_providers,
    identities,
    user_identities,
    grants,
    grant_shares,
    refreshes
);
