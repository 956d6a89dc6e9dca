//! Every way into the own network that the threat model lists, and listeners that see who took one. What
//! becomes of them is the tests' to say.

use super::origin::Origin;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Every URL of the threat model that a reader of URLs, a name service or a kernel could take for
/// a way into the own network. `{}` is the port, with its colon.
const OWN_NETWORK: [&str; 66] = [
    "http://127.0.0.1{}/",
    "http://127.1{}/",
    "http://127.255.255.254{}/",
    "http://2130706433{}/",
    "http://0x7f000001{}/",
    "http://0x7f.1{}/",
    "http://0177.0.0.1{}/",
    "http://0{}/",
    "http://0.0.0.0{}/",
    "http://0.1.2.3{}/",
    "http://localhost{}/",
    "http://LOCALHOST.{}/",
    "http://localhost.localdomain{}/",
    "http://{name}{}/",
    "http://{lan}{}/",
    "http://[{lan6}]{}/",
    "http://10.0.0.1{}/",
    "http://172.16.0.1{}/",
    "http://172.31.255.255{}/",
    "http://192.168.1.1{}/",
    "http://169.254.169.254{}/latest/meta-data/",
    "http://100.64.0.1{}/",
    "http://100.100.100.200{}/",
    "http://192.0.0.1{}/",
    "http://192.0.2.1{}/",
    "http://198.18.0.1{}/",
    "http://198.51.100.1{}/",
    "http://203.0.113.1{}/",
    "http://224.0.0.1{}/",
    "http://240.0.0.1{}/",
    "http://255.255.255.255{}/",
    "http://[::]{}/",
    "http://[::1]{}/",
    "http://[0:0:0:0:0:0:0:1]{}/",
    "http://[::ffff:127.0.0.1]{}/",
    "http://[::ffff:7f00:1]{}/",
    "http://[::ffff:0:127.0.0.1]{}/",
    "http://[::127.0.0.1]{}/",
    "http://[64:ff9b::7f00:1]{}/",
    "http://[64:ff9b:1:7f00:0:100::]{}/",
    "http://[2002:7f00:1::]{}/",
    "http://[2001:0:0:0:0:0:80ff:fffe]{}/",
    "http://[fe80::5efe:7f00:1]{}/",
    "http://[fd00::1]{}/",
    "http://[fec0::1]{}/",
    "http://[fe80::1]{}/",
    "http://[fe80::1%25lo]{}/",
    "http://[ff02::1]{}/",
    "http://user@127.0.0.1{}/",
    "http://i.discogs.com@127.0.0.1{}/",
    "http://i.discogs.com.evil.example{}/",
    "http://127.0.0.1{}#i.discogs.com",
    "http://127.0.0.1{}?i.discogs.com",
    "http://①②⑦.⓪.⓪.①{}/",
    "http:\\\\127.0.0.1{}\\",
    "http://127.0.0.1\t{}/",
    "http://127.0.0.1\n{}/",
    "http://127.0.0.1:22/",
    "http://127.0.0.1:25/",
    "http://127.0.0.1:6379/",
    "file:///etc/passwd",
    "ftp://127.0.0.1{}/",
    "gopher://127.0.0.1{}/_x",
    "data:image/png;base64,AAAA",
    "jar:http://127.0.0.1{}!/a",
    "unix:///run/x.sock",
];

pub fn urls(port: &str) -> Vec<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let [lan, lan6] = own_addresses().map(|address| address.to_string());
    let fill = |url: &&str| {
        let url = url.replace("{name}", name.trim()).replace("{lan}", &lan).replace("{lan6}", &lan6);
        url.replace("{}", port)
    };
    OWN_NETWORK.iter().map(fill).collect()
}

/// Listeners that nobody may connect to, on every address of this machine that others could reach.
pub fn canaries() -> Vec<Origin> {
    let mut addresses = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    addresses.extend(own_addresses());
    addresses.sort();
    addresses.dedup();
    addresses.iter().map(|address| Origin::start_on(&SocketAddr::new(*address, 0).to_string())).collect()
}

/// From where this machine would speak to others, without speaking to them; loopback where it has no network.
fn own_addresses() -> [IpAddr; 2] {
    let own = |any: &str, other: &str, loopback: IpAddr| {
        let socket = UdpSocket::bind(any).and_then(|socket| {
            socket.connect(other)?;
            socket.local_addr()
        });
        socket.map_or(loopback, |own| own.ip())
    };
    [
        own("0.0.0.0:0", "1.1.1.1:80", Ipv4Addr::LOCALHOST.into()),
        own("[::]:0", "[2606:4700::1111]:80", Ipv6Addr::LOCALHOST.into()),
    ]
}
