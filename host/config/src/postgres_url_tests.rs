//! What is read of URLs of PostgreSQL, and that nothing of a password is told.

use super::*;

fn parts(text: &str) -> String {
    let url: PostgresUrl = text.parse().unwrap_or_else(|(message, _)| panic!("{text}: {message}"));
    url.parameters().map(|(keyword, value)| format!("{keyword}={value}")).collect::<Vec<_>>().join(" ")
}

fn mistake(text: &str) -> String {
    text.parse::<PostgresUrl>().expect_err(text).0
}

#[test]
fn urls_are_read_as_libpq_reads_them() {
    for (text, expected) in [
        ("postgres://", ""),
        ("postgresql:///jf", "dbname=jf"),
        ("postgres://db", "host=db"),
        ("postgres://jack@db/jf", "user=jack host=db dbname=jf"),
        ("postgres://jack:pw@db:5433/jf", "user=jack password=pw host=db port=5433 dbname=jf"),
        ("postgres://jack:a%40b%2Fc@db/jf", "user=jack password=a@b/c host=db dbname=jf"),
        ("postgres://jack:a:b?c#d'e\\f g@db/jf", "user=jack password=a:b?c#d'e\\f g host=db dbname=jf"),
        ("postgres://a:1,b:2/jf", "host=a,b port=1,2 dbname=jf"),
        ("postgres://a,b:2/jf", "host=a,b port=,2 dbname=jf"),
        ("postgres://[::1]:5433,[2001:db8::1]/jf", "host=::1,2001:db8::1 port=5433, dbname=jf"),
        (
            "postgres://jack:pw@/jf?host=/run/postgresql&port=5433",
            "user=jack password=pw dbname=jf host=/run/postgresql port=5433",
        ),
        ("postgres://%2Frun%2Fpostgresql/jf", "host=/run/postgresql dbname=jf"),
        ("postgres://jack:pw@db/jf?password=other", "user=jack host=db dbname=jf password=other"),
        (
            "postgres://db/jf?sslmode=verify-full&target_session_attrs=any",
            "host=db dbname=jf sslmode=verify-full target_session_attrs=any",
        ),
        ("postgres://db/jf?ssl=true&pgbouncer=true", "host=db dbname=jf sslmode=require"),
        ("postgres://db/jf?options=-c%20search_path%3Da,b", "host=db dbname=jf options=-c search_path=a,b"),
        ("postgres://jack@:5433?user=ada", "port=5433 user=ada"),
        ("postgres://jack:@db/jf", "user=jack host=db dbname=jf"),
        ("postgres://jack:12?x=1@db/jf", "user=jack password=12?x=1 host=db dbname=jf"),
    ] {
        assert_eq!(parts(text), expected, "{text}");
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    for (text, expected) in [
        ("postgres://jack:p@ss@db/jf", "holds an `@` where the name of the host or what follows it stands"),
        ("postgres://jack:p/w@db/jf", "holds an `@` where the name of the host or what follows it stands"),
        ("postgres://jack:p%zz@db/jf", "the password: a % is not followed by two hexadecimal digits"),
        ("postgres://jack:p%4@db/jf", "the password: a % is not followed by two hexadecimal digits"),
        ("postgres://jack:p%00@db/jf", "the password: %00 cannot stand there"),
        ("postgres://jack:p%ff@db/jf", "the password: what it means is not UTF-8"),
        ("postgres://jack:pw@db/jf\n", "holds a line end, a blank at its end or another invisible character"),
        ("postgres://jack:pw@db/jf ", "holds a line end, a blank at its end or another invisible character"),
        ("postgres://db:port/jf", "the port is not a number from 1 to 65535"),
        ("postgres://db:0/jf", "the port is not a number from 1 to 65535"),
        ("postgres://db:+1/jf", "the port is not a number from 1 to 65535"),
        ("postgres://db/jf?port=x", "the port is not a number from 1 to 65535"),
        ("postgres://[::1/jf", "an address begins with [ and has no ]"),
        ("postgres://[::1]x/jf", "something stands between the ] of an address and its port"),
        ("postgres://a%2Cb/jf", "the host holds a comma or a blank"),
        ("postgres://db/jf?sslmode", "a parameter after the `?` has no `=`"),
        ("postgres://db/jf?sslmod=require", "libpq has no parameter `sslmod`"),
        ("postgres://db/jf?password=hunter2&more=x", "a parameter after the `?` is none of libpq's"),
    ] {
        assert_eq!(mistake(text), expected, "{text}");
    }
}

#[test]
fn a_parameter_that_other_libraries_have_is_told_in_the_words_of_libpq() {
    let help = |text: &str| text.parse::<PostgresUrl>().expect_err(text).1;
    assert_eq!(help("postgres://db/jf?schema=x"), "write options=-csearch_path%3DNAME instead");
    assert_eq!(help("postgres://db/jf?sslmod=x"), "did you mean `sslmode`?");
}

#[test]
fn several_hosts_and_sockets_are_shown_without_user_and_password() {
    for (text, expected) in [
        ("postgres://jack:hunter2@a:1,b:2/jf?password=hunter2", "postgres://a:1,b:2/jf"),
        ("postgres://jack:hunter2@/jf?host=/run/pg", "postgres:///run/pg/jf"),
        ("postgres://jack:hunter2@a,b/jf?port=5433", "postgres://a:5433,b:5433/jf"),
    ] {
        let url: PostgresUrl = text.parse().unwrap_or_else(|_| panic!("{text}"));
        assert_eq!(format!("{url} {url:?}"), format!("{expected} {expected}"));
    }
}

/// Passwords of all that makes a URL something else, written as they are and in every other way.
#[test]
fn no_error_and_no_display_holds_three_characters_of_a_password() {
    const SPECIAL: [&str; 14] = ["@", "/", "#", "?", "%", ":", "&", "=", "[", "]", ",", " ", "%4", "%zz"];
    // Syllables that no message, help or URL of ours holds.
    const SYLLABLES: [&str; 4] = ["Xq7", "zK9", "WvJ", "8Gy"];
    let mut passwords = Vec::new();
    for (at, one) in SPECIAL.iter().enumerate() {
        for (other_at, other) in SPECIAL.iter().enumerate() {
            let word = |shift: usize| SYLLABLES[(at + other_at + shift) % SYLLABLES.len()];
            passwords.push(format!("{}{one}{}{other}{}", word(0), word(1), word(2)));
            passwords.push(format!("{one}{}{other}{}", word(3), word(1)));
            passwords.push(format!("12{one}{}{other}34", word(2)));
        }
    }
    for password in &passwords {
        for text in [
            format!("postgres://jack:{password}@127.0.0.1:5432/jf"),
            format!("postgres://jack:{password}@/jf?host=/run/pg"),
            format!("postgres://jack@127.0.0.1/jf?password={password}"),
            format!("postgres://jack@127.0.0.1/jf?sslpassword={password}&sslmode=require"),
        ] {
            let told = match text.parse::<PostgresUrl>() {
                Ok(url) => format!("{url} {url:?}"),
                Err((message, help)) => format!("{message} {help}"),
            };
            assert!(!SYLLABLES.iter().any(|syllable| told.contains(syllable)), "{text}: {told}");
        }
    }
}
