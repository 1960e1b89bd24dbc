//! The tables of what services send and programs get, as the migrations create them.

diesel::table! {
    webhooks (key_hash) {
        key_hash -> Binary,
        provider -> Text,
        session_key -> Nullable<Binary>,
        expires_at -> Nullable<BigInt>,
        integration_id -> Nullable<BigInt>,
        organization_id -> Nullable<BigInt>,
    }
}

diesel::table! {
    events (provider, id_hash) {
        provider -> Text,
        id_hash -> Binary,
        expires_at -> BigInt,
    }
}

diesel::table! {
    event_sequences (organization_id, integration_id) {
        organization_id -> BigInt,
        integration_id -> BigInt,
        last -> BigInt,
    }
}

diesel::table! {
    outgoing_events (id) {
        id -> BigInt,
        organization_id -> BigInt,
        kind -> Text,
        integration_id -> Nullable<BigInt>,
        sequence -> Nullable<BigInt>,
        provider -> Nullable<Text>,
        subject_id -> Nullable<Text>,
        subject_name -> Nullable<Text>,
        tags -> Nullable<Text>,
        data -> Text,
        received_id -> Nullable<Binary>,
        date_added -> BigInt,
    }
}

diesel::table! {
    endpoints (id) {
        id -> BigInt,
        organization_id -> BigInt,
        url -> Text,
        description -> Text,
        kinds -> Text,
        providers -> Text,
        status -> Text,
        reason -> Nullable<Text>,
        sealed_secrets -> Nullable<Binary>,
        is_configured -> Bool,
        date_added -> BigInt,
        failing_since -> Nullable<BigInt>,
        resumes_at -> BigInt,
    }
}

diesel::table! {
    deliveries (endpoint_id, event_id) {
        endpoint_id -> BigInt,
        event_id -> BigInt,
        status -> Text,
        attempts -> Integer,
        retry_at -> BigInt,
        lease -> Nullable<BigInt>,
        leased_until -> Nullable<BigInt>,
    }
}

diesel::table! {
    delivery_attempts (endpoint_id, event_id, number) {
        endpoint_id -> BigInt,
        event_id -> BigInt,
        number -> Integer,
        date -> BigInt,
        duration -> BigInt,
        status -> Nullable<Integer>,
        error -> Nullable<Text>,
    }
}

diesel::joinable!(deliveries -> endpoints (endpoint_id));
diesel::joinable!(deliveries -> outgoing_events (event_id));
diesel::allow_tables_to_appear_in_same_query!(deliveries, endpoints, outgoing_events);
