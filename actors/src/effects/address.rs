//! What an address on the network stands for: anybody on the internet, this host and its networks, or something of which
//! nobody wants to be an accident's or an attacker's guest.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// To somebody on the internet.
    Public,
    /// To this host, or to a network that it shares with others of its house.
    House,
    /// To what answers whoever happens to be there (link-local, multicast, a cloud's service for its guests), to an
    /// address in disguise, or to nobody.
    Special,
}

impl Reach {
    /// Where `address` leads.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => of_v6(address),
        }
    }
}

/// A block of IPv4: its first address, how many bits all of it share, and where it leads.
type BlockV4 = ([u8; 4], u32, Reach);

/// Blocks that are not the internet's; the first that fits counts. By IANA's registry of special addresses (RFC 6890 and
/// its successors), and single ones at which clouds answer their guests.
const BLOCKS_V4: &[BlockV4] = &[
    ([100, 100, 100, 200], 32, Reach::Special), // a cloud's service for its guests
    ([168, 63, 129, 16], 32, Reach::Special),   // another one's
    ([0, 0, 0, 0], 8, Reach::Special),          // unspecified
    ([10, 0, 0, 0], 8, Reach::House),           // private
    ([100, 64, 0, 0], 10, Reach::House),        // behind a carrier's translation
    ([127, 0, 0, 0], 8, Reach::House),          // loopback
    ([169, 254, 0, 0], 16, Reach::Special),     // link-local, and what clouds tell their guests
    ([172, 16, 0, 0], 12, Reach::House),        // private
    ([192, 0, 0, 0], 24, Reach::Special),       // protocols
    ([192, 0, 2, 0], 24, Reach::Special),       // documentation
    ([192, 88, 99, 0], 24, Reach::Special),     // relays of 6to4
    ([192, 168, 0, 0], 16, Reach::House),       // private
    ([198, 18, 0, 0], 15, Reach::Special),      // measuring
    ([198, 51, 100, 0], 24, Reach::Special),    // documentation
    ([203, 0, 113, 0], 24, Reach::Special),     // documentation
    ([224, 0, 0, 0], 3, Reach::Special),        // multicast, reserved, broadcast
];

fn of_v4(address: Ipv4Addr) -> Reach {
    let holds = |(first, bits, _): &&BlockV4| (address.to_bits() ^ u32::from_be_bytes(*first)) >> (32 - bits) == 0;
    BLOCKS_V4.iter().find(holds).map_or(Reach::Public, |(_, _, reach)| *reach)
}

/// A block of IPv6, by its first 64 bits.
type BlockV6 = (u64, u32, Reach);

/// Of IPv6 only what is given out to networks is the internet's (`2000::/3`), less what stands for something else there.
/// Forms of IPv4 addresses (mapped, compatible, translated, 6to4, Teredo) lie in none of the public blocks.
const BLOCKS_V6: &[BlockV6] = &[
    (0x2001_0000_0000_0000, 23, Reach::Special), // protocols, Teredo
    (0x2001_0db8_0000_0000, 32, Reach::Special), // documentation
    (0x2002_0000_0000_0000, 16, Reach::Special), // 6to4
    (0x3fff_0000_0000_0000, 20, Reach::Special), // documentation
    (0x2000_0000_0000_0000, 3, Reach::Public),
    (0xfc00_0000_0000_0000, 7, Reach::House), // private
];

/// Private by their block, and clouds' services for their guests all the same.
const GUESTS_V6: &[Ipv6Addr] =
    &[Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];

fn of_v6(address: Ipv6Addr) -> Reach {
    if address == Ipv6Addr::LOCALHOST {
        return Reach::House;
    }
    if GUESTS_V6.contains(&address) {
        return Reach::Special;
    }
    let network = u64::try_from(address.to_bits() >> 64).expect("half of 128 bits are 64");
    let holds = |(first, bits, _): &&BlockV6| (network ^ first) >> (64 - bits) == 0;
    BLOCKS_V6.iter().find(holds).map_or(Reach::Special, |(_, _, reach)| *reach)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(reach: Reach, addresses: &[&str]) {
        for text in addresses {
            assert_eq!(Reach::of(text.parse().unwrap()), reach, "{text}");
        }
    }

    #[test]
    fn only_addresses_that_were_given_out_to_somebody_are_public() {
        all(Reach::Public, &["1.1.1.1", "93.184.216.34", "100.63.255.255", "100.128.0.0", "172.32.0.1", "192.0.1.0"]);
        all(Reach::Public, &["198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2001:200::1"]);
    }

    #[test]
    fn this_host_and_its_networks_are_the_houses() {
        all(Reach::House, &["127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"]);
        all(Reach::House, &["100.64.0.1", "100.127.255.255", "::1", "fc00::1", "fdff::1"]);
    }

    #[test]
    fn what_answers_whoever_is_there_and_what_stands_for_another_address_is_special() {
        all(
            Reach::Special,
            &["0.0.0.0", "0.1.2.3", "169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192"],
        );
        all(Reach::Special, &["192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.9", "192.88.99.1"]);
        all(Reach::Special, &["224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"]);
        all(
            Reach::Special,
            &["::", "::ffff:1.1.1.1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1"],
        );
        all(Reach::Special, &["fe80::1", "fec0::1", "ff02::1", "2001:db8::1", "2001::1", "2002:7f00:1::", "3fff::1"]);
        all(Reach::Special, &["fd00:ec2::254", "fd20:ce::254", "100::1"]);
    }
}
