"""Key identifiers: what is accepted leads to one vault of the cloud, the one that everybody reads."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain.clouds import PUBLIC
from shared.domain.identifiers import HostNotAllowed, KeyIdentifier, MalformedIdentifier

VERSION = "0123456789abcdef0123456789abcdef"
GOOD = "https://contoso.vault.azure.net/keys/cmk"
CONTROL = [chr(code) for code in [*range(0x20), 0x7F]]

LOOK_ALIKE_HOSTS = [
    "contoso.vault.azure.net.evil.example",
    "contoso.vault-azure.net",
    "contosovault.azure.net",
    "vault.azure.net",
    ".vault.azure.net",
    "evil.contoso.vault.azure.net",
    "contoso.vault.azure.net.",
    "contoso..vault.azure.net",
    "contoso.vault.azure.com",
    "contoso.vault.azure.cn",
    "contoso.managedhsm.azure.net",
    "xn--contoso-9za.vault.azure.net",
    "-contoso.vault.azure.net",
    "contoso-.vault.azure.net",
    "con--toso.vault.azure.net",
    "1contoso.vault.azure.net",
    "co.vault.azure.net",
    "c" * 25 + ".vault.azure.net",
    "con_toso.vault.azure.net",
    "contoso%2evault.azure.net",
    "contoso.vault.azure.net%00.evil.example",
    "evil.example%2f.vault.azure.net",
    "127.0.0.1",
    "169.254.169.254",
    "0x7f000001",
    "2130706433",
    "localhost",
    "[::1]",
    "[fe80::1%25eth0]",
    "",
]
USER_INFO_AND_PORTS = [
    "https://admin@contoso.vault.azure.net/keys/cmk",
    "https://@contoso.vault.azure.net/keys/cmk",
    "https://:@contoso.vault.azure.net/keys/cmk",
    "https://admin:secret@contoso.vault.azure.net/keys/cmk",
    "https://contoso.vault.azure.net@evil.example/keys/cmk",
    "https://contoso.vault.azure.net:80@evil.example/keys/cmk",
    "https://contoso.vault.azure.net:444/keys/cmk",
    "https://contoso.vault.azure.net:0/keys/cmk",
    "https://contoso.vault.azure.net:8443/keys/cmk",
]
MALFORMED_KEYS = [
    "",
    "cmk",
    "contoso.vault.azure.net/keys/cmk",
    "//contoso.vault.azure.net/keys/cmk",
    "http://contoso.vault.azure.net/keys/cmk",
    "ftp://contoso.vault.azure.net/keys/cmk",
    "javascript:alert(1)",
    "https:contoso.vault.azure.net/keys/cmk",
    "https://contoso.vault.azure.net",
    "https://contoso.vault.azure.net/",
    "https://contoso.vault.azure.net/keys",
    "https://contoso.vault.azure.net/keys/",
    "https://contoso.vault.azure.net/secrets/cmk",
    "https://contoso.vault.azure.net/Keys/cmk",
    "https://contoso.vault.azure.net//keys/cmk",
    "https://contoso.vault.azure.net/keys//cmk",
    "https://contoso.vault.azure.net/keys/cmk//",
    f"{GOOD}/{VERSION}/",
    f"{GOOD}/{VERSION}/wrapkey",
    f"{GOOD}/{VERSION[:-1]}",
    f"{GOOD}/{VERSION}0",
    f"{GOOD}/latest",
    f"{GOOD}/{VERSION[:-1]}g",
    f"{GOOD}?api-version=7.4",
    f"{GOOD}?",
    f"{GOOD}#fragment",
    f"{GOOD}#",
    f"{GOOD}/../secrets/other",
    "https://contoso.vault.azure.net/keys/..",
    "https://contoso.vault.azure.net/keys/.",
    "https://contoso.vault.azure.net/keys/c%2fmk",
    "https://contoso.vault.azure.net/keys%2fcmk",
    "https://contoso.vault.azure.net/keys/cmk%00",
    "https://contoso.vault.azure.net/keys/c mk",
    "https://contoso.vault.azure.net/keys/cmk;param",
    "https://contoso.vault.azure.net/keys/c_mk",
    "https://contoso.vault.azure.net/keys/" + "k" * 128,
    "https://contoso.vault.azure.net\\@evil.example/keys/cmk",
    "https:\\\\contoso.vault.azure.net\\keys\\cmk",
    f" {GOOD}",
    f"{GOOD} ",
    f"{GOOD}\n",
    "https://contoso.vault.azure.net/keys/c\u0301mk",
    "https://contoso.v\u0430ult.azure.net/keys/cmk",
    "https://contoso\u3002vault.azure.net/keys/cmk",
    "https://contoso\u2024vault.azure.net/keys/cmk",
    "https\u2236//contoso.vault.azure.net/keys/cmk",
    "https://contoso.vault.azure.net/keys/\uff43mk",
    "https://contoso.vault.azure.net/keys/cmk\u200b",
    "https://[contoso.vault.azure.net/keys/cmk",
    "https://contoso.vault.azure.net:port/keys/cmk",
    "https://contoso.vault.azure.net:99999/keys/cmk",
    GOOD + "/" * 600,
]


@pytest.mark.parametrize("host", LOOK_ALIKE_HOSTS)
def test_a_host_that_only_looks_like_a_vault_is_refused(host: str) -> None:
    with pytest.raises(HostNotAllowed):
        KeyIdentifier.parse(f"https://{host}/keys/cmk")


@pytest.mark.parametrize("text", USER_INFO_AND_PORTS)
def test_user_info_and_other_ports_are_refused(text: str) -> None:
    with pytest.raises(HostNotAllowed):
        KeyIdentifier.parse(text)


@pytest.mark.parametrize("text", MALFORMED_KEYS)
def test_what_is_no_key_identifier_is_refused_as_such(text: str) -> None:
    with pytest.raises(MalformedIdentifier) as refusal:
        KeyIdentifier.parse(text)
    assert str(refusal.value).startswith("must ")


@pytest.mark.parametrize("character", CONTROL, ids=repr)
@pytest.mark.parametrize("place", [0, 8, 15, 37, 40])
def test_a_control_character_is_refused_wherever_it_stands(character: str, place: int) -> None:
    with pytest.raises(MalformedIdentifier):
        KeyIdentifier.parse(GOOD[:place] + character + GOOD[place:])


def test_a_host_of_another_cloud_is_a_host_that_is_not_allowed() -> None:
    with pytest.raises(HostNotAllowed, match=r"\.vault\.azure\.net"):
        KeyIdentifier.parse("https://contoso.vault.usgovcloudapi.net/keys/cmk")


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"{GOOD}/",
        "HTTPS://CONTOSO.VAULT.AZURE.NET/keys/cmk",
        "https://contoso.vault.azure.net:443/keys/cmk",
        "https://contoso.vault.azure.net:/keys/cmk",
    ],
)
def test_harmless_spellings_come_out_as_one(text: str) -> None:
    assert str(KeyIdentifier.parse(text)) == GOOD


def test_a_version_is_folded_to_lower_case() -> None:
    assert KeyIdentifier.parse(f"{GOOD}/{VERSION.upper()}").version == VERSION


def test_a_key_identifier_knows_its_vault() -> None:
    identifier = KeyIdentifier.parse(f"{GOOD}/{VERSION}")
    assert identifier.vault_uri == "https://contoso.vault.azure.net"
    assert identifier.vault_name == "contoso"
    assert identifier.versionless == KeyIdentifier.parse(GOOD)


def test_one_key_has_one_claim_whatever_its_spelling_and_version() -> None:
    one = KeyIdentifier.parse("https://CONTOSO.vault.azure.net/keys/CMK")
    other = KeyIdentifier.parse(f"{GOOD}/{VERSION}")
    assert one.names_same_key(other)
    assert one.claim == other.claim == "contoso.vault.azure.net|cmk"
    assert not one.names_same_key(KeyIdentifier.parse(f"{GOOD}2"))


vaults = st.from_regex(r"[a-z](?!.*--)[a-z0-9-]{1,22}[a-z0-9]", fullmatch=True, alphabet=st.characters(codec="ascii"))
names = st.from_regex(r"[0-9A-Za-z-]{1,127}", fullmatch=True)
versions = st.none() | st.from_regex(r"[0-9a-f]{32}", fullmatch=True)
identifiers = st.builds(
    lambda vault, name, version: KeyIdentifier(f"{vault}{PUBLIC.vault_suffix}", name, version), vaults, names, versions
)


@given(identifiers)
def test_a_key_identifier_survives_being_written_and_read(identifier: KeyIdentifier) -> None:
    assert KeyIdentifier.parse(str(identifier)) == identifier
    assert KeyIdentifier.parse(f"{identifier.versionless}/{VERSION}") == identifier.with_version(VERSION)


@given(st.text(alphabet="htps:/.@?#%\\[]contoso-vault.azure.netkeyscmk0 \t\n", max_size=80))
@example("https://contoso.vault.azure.net/keys/cmk")
@example("https://contoso.vault.azure.net\t/keys/cmk")
def test_whatever_is_accepted_leads_to_one_vault_of_the_cloud(text: str) -> None:
    try:
        identifier = KeyIdentifier.parse(text)
    except MalformedIdentifier:
        return
    label = identifier.vault_host.removesuffix(".vault.azure.net")
    assert label != identifier.vault_host
    assert "." not in label
    # The host that is contacted is the host that everybody reads in the text.
    assert text.lower().removeprefix("https://").partition("/")[0].partition(":")[0] == identifier.vault_host
