"""What is opened and what is not; every vector has been somebody's hole."""

import time
from collections.abc import Sequence
from ipaddress import ip_address
from threading import Event

import pytest

from app.addresses import Lookup, check_url, forbidden, resolve
from app.errors import SourceForbidden, SourceUnreachable

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2001:4860:4860::8888",
    "2a00:1450:4001:800::200e",
]

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fc00::1",
    "fd12:3456:789a::1",
]

NEVER = [
    "0.0.0.0",  # noqa: S104 (nothing is bound: on Linux it leads to this machine)
    "0.1.2.3",
    "169.254.169.254",  # metadata of AWS, GCP, Azure
    "169.254.170.2",  # credentials of AWS containers
    "100.100.100.200",  # metadata of Alibaba
    "168.63.129.16",  # Azure's wire server
    "192.0.0.192",  # metadata of Oracle
    "fd00:ec2::254",  # metadata of AWS
    "fd20:ce::254",  # metadata of GCP
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.1.2.3",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::127.0.0.1",  # IPv4-compatible
    "::ffff:127.0.0.1",  # IPv4-mapped
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",  # IPv4-translated
    "64:ff9b::a9fe:a9fe",  # NAT64 of 169.254.169.254
    "64:ff9b:1::a9fe:a9fe",
    "100::1",  # discard
    "2001::7f00:1",  # Teredo
    "2001:2::1",  # benchmarking
    "2001:10::1",  # ORCHID
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "2002:a9fe:a9fe::",
    "2606:4700::5efe:7f00:1",  # ISATAP of 127.0.0.1
    "2606:4700::200:5efe:a9fe:a9fe",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",  # site-local
    "ff02::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_opened(address: str) -> None:
    assert forbidden(ip_address(address)) is None


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_opened_only_when_allowed(address: str) -> None:
    assert forbidden(ip_address(address))
    assert forbidden(ip_address(address), allow_private=True) is None


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("allow_private", [False, True])
def test_metadata_and_disguises_are_never_opened(address: str, allow_private: bool) -> None:
    assert forbidden(ip_address(address), allow_private=allow_private)


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://pictures.example/a.jpg?size=1#top", b"pictures.example", None),
        ("http://PICTURES.example.:80/", b"pictures.example.", None),
        ("https://pictures.example:443/", b"pictures.example", None),
        ("http://bücher.example/", b"xn--bcher-kva.example", None),
        ("http://8.8.8.8/", b"8.8.8.8", None),
        ("http://[2606:4700:4700::1111]/", b"2606:4700:4700::1111", None),
        ("http://1.example.com2/", b"1.example.com2", None),
        ("http://my_bucket.s3.example/", b"my_bucket.s3.example", None),
    ],
)
def test_good_urls_pass(url: str, host: bytes, port: int | None) -> None:
    checked = check_url(url, allow_private=False)
    assert (checked.raw_host, checked.port) == (host, port)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "pictures.example/a.jpg",
        "//pictures.example/a.jpg",
        "ftp://pictures.example/a.jpg",
        "file:///etc/passwd",
        "gopher://pictures.example/",
        "http:///a.jpg",
        "http://user@pictures.example/",
        "http://user:word@pictures.example/",
        "http://8.8.8.8@127.0.0.1/",
        "http://127.0.0.1\\@8.8.8.8/",
        "http://pictures.example\n.evil.example/",
        "http://exa mple.com/",
        "http://pictures..example/",
        "http://.../",
        "http://%31%32%37.0.0.1/",
        "http://[fe80::1%25eth0]/",
        "http://[v1.a]/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://0x7f.1/",
        "http://0x7f000001/",
        "http://0x/",
        "http://127.1/",
        "http://127.0.1/",
        "http://1.2.3.4.5/",
        "http://256.256.256.256/",
        "http://127.0.0.1./",
        "http://\uff11\uff12\uff17.0.0.1/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://pictures.example:99999/",
        "http://pictures.example:0/",
        "http://pictures.example/" + "a" * 70_000,
    ],
)
@pytest.mark.parametrize("allow_private", [False, True])
def test_bad_urls_are_refused_without_the_network(url: str, allow_private: bool) -> None:
    with pytest.raises(SourceForbidden):
        check_url(url, allow_private=allow_private)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://db.localhost/",
        "http://10.0.0.1/",
        "https://pictures.example:8443/",
        "http://pictures.example:22/",
    ],
)
def test_private_urls_are_refused_unless_allowed(url: str) -> None:
    with pytest.raises(SourceForbidden):
        check_url(url, allow_private=False)
    check_url(url, allow_private=True)


def answering(*answers: str) -> Lookup:
    def lookup(host: str, port: int) -> Sequence[str]:
        assert isinstance(host, str)
        return answers

    return lookup


def test_a_name_is_pinned_to_its_first_address() -> None:
    found = resolve(
        "pictures.example",
        443,
        allow_private=False,
        timeout=5,
        lookup=answering("93.184.216.34", "93.184.216.35"),
    )
    assert found == "93.184.216.34"


@pytest.mark.parametrize("bad", ["127.0.0.1", "fe80::1%eth0", "::ffff:10.0.0.1"])
def test_one_bad_answer_spoils_them_all(bad: str) -> None:
    with pytest.raises(SourceForbidden):
        resolve(
            "pictures.example",
            443,
            allow_private=False,
            timeout=5,
            lookup=answering("93.184.216.34", bad),
        )


def test_a_literal_address_is_never_looked_up() -> None:
    with pytest.raises(SourceForbidden):
        resolve("127.0.0.1", 80, allow_private=False, timeout=5, lookup=answering("8.8.8.8"))


def test_a_name_without_addresses_is_unreachable() -> None:
    with pytest.raises(SourceUnreachable):
        resolve("pictures.example", 80, allow_private=False, timeout=5, lookup=answering())


def test_a_resolver_that_hangs_costs_no_more_than_the_time_given() -> None:
    released = Event()

    def hang(host: str, port: int) -> list[str]:
        released.wait(30)
        return ["93.184.216.34"]

    start = time.monotonic()
    with pytest.raises(SourceUnreachable):
        resolve("pictures.example", 80, allow_private=False, timeout=0.05, lookup=hang)
    assert time.monotonic() - start < 5
    released.set()


def test_the_systems_own_resolver_is_asked_by_default() -> None:
    assert resolve("localhost", 80, allow_private=True, timeout=5) in ("127.0.0.1", "::1")
    with pytest.raises(SourceForbidden):
        resolve("localhost", 80, allow_private=False, timeout=5)
