//! Networks that an operator writes: what is conspicuous about one.

use ipnet::IpNet;

use super::config_value::ConfigValue;

/// A network whose address has bits beyond its mask means more than it seems to.
pub(super) fn wrong_bits(network: &IpNet) -> Option<(String, String)> {
    let whole = network.trunc();
    (whole != *network).then(|| {
        let message = format!("{network} has bits beyond /{}", network.prefix_len());
        (message, format!("write {whole} for the whole network, or {} for the one address", network.addr()))
    })
}

/// Warns of a network that is everything.
pub(super) fn warn_of_everything(item: &ConfigValue<'_>, network: &IpNet, meaning: &str) {
    if network.prefix_len() == 0 {
        item.warn(format!("{network} is every address: {meaning}"), "write the networks that are meant");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_beyond_the_mask_are_told() {
        let help = |text: &str| wrong_bits(&text.parse().expect("a network")).map(|(_, help)| help);
        assert_eq!(help("10.0.0.0/8"), None);
        assert_eq!(help("10.1.2.3/32"), None);
        assert_eq!(
            help("10.1.2.3/8").as_deref(),
            Some("write 10.0.0.0/8 for the whole network, or 10.1.2.3 for the one address")
        );
        assert_eq!(
            help("fd00::1/8").as_deref(),
            Some("write fd00::/8 for the whole network, or fd00::1 for the one address")
        );
    }
}
