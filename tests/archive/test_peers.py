"""Peers are named in a file, checked before anything is sent, and their secrets never shown."""

import pytest

from opencmr.archive.peers import DicomWebPeer, DimsePeer, find_peer, usual_file
from opencmr.errors import ConfigurationError

WEB = 'kind = "dicomweb"\nurl = "https://pacs.example/dicom-web"\n'
DIMSE = 'kind = "dimse"\nhost = "192.0.2.7"\nport = 104\naet = "PACS"\n'


@pytest.fixture
def named(tmp_path):
    def read(text: str, name: str = "x"):
        file = tmp_path / "peers.toml"
        file.write_text(f"[x]\n{text}")
        return find_peer(name, file)

    return read


def test_peers_of_both_kinds_are_read(named):
    web = named(WEB, "dicomweb:x")
    assert isinstance(web, DicomWebPeer)
    assert web.token() is None
    assert web.credentials() is None
    dimse = named(DIMSE + "tls = {}\n")
    assert isinstance(dimse, DimsePeer)
    assert dimse.calling_aet == "OPENCMR"
    assert dimse.retrieve == "get"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kind = "ftp"\n', 'kind must be "dicomweb" or "dimse"'),
        ("", 'kind must be "dicomweb" or "dimse"'),
        ('kind = "dicomweb"\n', "url: Field required"),
        ('kind = "dicomweb"\nurl = "ftp://x"\n', "https://"),
        ('kind = "dicomweb"\nurl = "https://me:hunter2@pacs.example"\n', "take it out"),
        ('kind = "dicomweb"\nurl = "http://pacs.example/dicom-web"\n', "insecure = true"),
        (WEB + 'password = "hunter2"\n', "secrets are not written here"),
        (WEB + 'token = "hunter2"\n', "token_env or token_file"),
        (WEB + 'colour = "red"\n', "colour: is not known"),
        (WEB + 'user = "me"\n', "user goes with"),
        (WEB + 'token_env = "A"\ntoken_file = "b"\n', "name one of"),
        (DIMSE, "insecure = true"),
        (DIMSE.replace("104", "0"), "port"),
        (DIMSE.replace("PACS", "A" * 17), "aet"),
        (DIMSE + 'tls = {cert = "a"}\n', "cert and key go together"),
        (DIMSE + 'insecure = true\nretrieve = "move"\n', "receive_port"),
    ],
)
def test_a_wrong_peer_is_refused_in_words_without_its_secret(named, text, said):
    with pytest.raises(ConfigurationError) as refused:
        named(text)
    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_what_is_said_to_be_insecure_is_let_through(named):
    assert named(DIMSE + "insecure = true\n").insecure
    assert named('kind = "dicomweb"\nurl = "http://[::1]:8042/"\n').url.startswith("http://[")


def test_secrets_come_from_environment_or_file_and_stay_out_of_repr(named, tmp_path, monkeypatch):
    monkeypatch.setenv("PACS_TOKEN", "hunter2")
    peer = named(WEB + 'token_env = "PACS_TOKEN"\n')
    assert peer.token() == "hunter2"
    assert "hunter2" not in repr(peer)
    file = tmp_path / "password"
    file.write_text("correct horse\n")
    assert named(WEB + f'user = "me"\npassword_file = "{file}"\n').credentials() == (
        "me",
        "correct horse",
    )
    file.write_text("a\nHost: b")
    with pytest.raises(ConfigurationError, match="line break"):
        named(WEB + f'token_file = "{file}"\n').token()
    monkeypatch.delenv("PACS_TOKEN")
    with pytest.raises(ConfigurationError, match="PACS_TOKEN"):
        peer.token()


def test_a_missing_file_or_name_is_told_with_the_way_out(named, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    assert usual_file() == tmp_path / "none" / "opencmr" / "peers.toml"
    with pytest.raises(ConfigurationError, match="--peers"):
        find_peer("x")
    with pytest.raises(ConfigurationError, match="it names: x"):
        named(WEB, "y")
    with pytest.raises(ConfigurationError, match="kind dicomweb"):
        named(WEB, "dimse:x")
    with pytest.raises(ConfigurationError, match="no TOML"):
        named("kind =")
