"""Tokens: what is believed, what is not, and how issuers' keys are followed."""

import asyncio
import base64
import warnings
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import OctKey, OKPKey

from cupola.kit.errors import CupolaError, Unavailable
from cupola.testing import FakeClock, MemoryKeySource
from cupola.tokens.model import By, Grantee, InsufficientScope, InvalidToken, Issuer, Policy
from cupola.tokens.service import FRESH, MOST_TOKENS, PAUSE, Tokens
from cupola.tokens.store import HttpKeySource
from tests.tokens.issuer import (
    NOW,
    PrivateKey,
    claims,
    ec_key,
    local_issuer,
    publish,
    rsa_key,
    sign,
)

ISSUER = Issuer("https://issuer.example")
KEY = rsa_key("a")


def tokens_of(
    *keys: PrivateKey, issuer: Issuer = ISSUER, clock: FakeClock | None = None
) -> tuple[Tokens, MemoryKeySource, FakeClock]:
    clock = clock or FakeClock()
    source = MemoryKeySource(publish(*(keys or (KEY,))))
    return Tokens(Policy((issuer,)), source, clock), source, clock


async def refusal(tokens: Tokens, token: str) -> CupolaError:
    with pytest.raises(CupolaError) as caught:
        await tokens.verify(token)
    return caught.value


async def test_a_good_token_names_its_subject_roles_and_groups():
    """Each by its issuer, since names of two issuers have nothing to do with each other."""
    tokens, *_ = tokens_of()
    verified = await tokens.verify(sign(claims(groups=["g1"]), KEY))

    assert verified.grantees == (
        Grantee(ISSUER.issuer, By.SUBJECT, "sub-1"),
        Grantee(ISSUER.issuer, By.ROLE, "Inference.Call"),
        Grantee(ISSUER.issuer, By.GROUP, "g1"),
    )


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        *((KEY, name) for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
        (ec_key("e"), "ES256"),
        (OKPKey.generate_key("Ed25519", {"kid": "o"}), "EdDSA"),
        (OKPKey.generate_key("Ed25519", {"kid": "o"}), "Ed25519"),
    ],
    ids=lambda value: value if isinstance(value, str) else "key",
)
async def test_signatures_by_private_keys_count(key: PrivateKey, algorithm: str):
    """All that issuers use; beside keys that are for something else."""
    tokens, source, _ = tokens_of(key, ec_key("other"), rsa_key("other"))
    source.keys += [{"kty": "oct", "k": "c2VjcmV0", "kid": "s"}, {"kty": "new"}, {"kid": 3}]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that EdDSA has a new name
        signed = [sign(claims(), key, algorithm, kid=kid) for kid in (key.kid, None)]

    assert [await tokens.verify(token) for token in signed]


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"exp": NOW - 61}, "has expired"),
        ({"exp": None}, "no 'exp'"),
        ({"exp": "soon"}, "no time"),
        ({"exp": True}, "no time"),
        ({"exp": 10**300}, "no time"),
        ({"nbf": NOW + 61}, "not valid yet"),
        ({"nbf": "now"}, "no time"),
        ({"aud": "https://other.example"}, "'https://ml.azure.com'"),
        ({"aud": None}, "another audience"),
        ({"aud": ["x", 3]}, "another audience"),
        ({"aud": {"a": "https://ml.azure.com"}}, "another audience"),
        ({"iss": "https://issuer.example/"}, "issuer"),
        ({"iss": None}, "issuer"),
        ({"iss": ["https://issuer.example"]}, "issuer"),
    ],
    ids=str,
)
async def test_a_claim_that_does_not_hold_is_named(changed: dict[str, Any], word: str):
    """Whoever signed it."""
    tokens, *_ = tokens_of()
    error = await refusal(tokens, sign(claims(**changed), KEY))

    assert isinstance(error, InvalidToken)
    assert word in error.public


@pytest.mark.parametrize(
    "changed",
    [{"exp": NOW - 59}, {"nbf": NOW + 59}, {"nbf": None}, {"aud": ["x", "https://ml.azure.com"]},
     {"exp": NOW + 0.5}, {"sub": 7, "roles": "one", "groups": {"a": 1}}, {"sub": None}],
    ids=str,
)  # fmt: skip
async def test_clocks_may_differ_and_claims_have_several_forms(changed: dict[str, Any]):
    """By a minute."""
    tokens, *_ = tokens_of()

    assert await tokens.verify(sign(claims(**changed), KEY))


def encode(value: object) -> str:
    raw = value if isinstance(value, bytes) else msgspec.json.encode(value)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned(head: object, payload: object, signature: bytes = b"") -> str:
    return f"{encode(head)}.{encode(payload)}.{encode(signature) if signature else ''}"


SHARED = OctKey.import_key(msgspec.json.encode(publish(KEY)[0]), {"kid": "a"})
GOOD = sign(claims(), KEY)
FORGED = {
    "none": unsigned({"alg": "none"}, claims()),
    "None": unsigned({"alg": "None", "kid": "a"}, claims()),
    "shared secret": sign(claims(), SHARED, "HS256"),
    "another's key": sign(claims(), rsa_key("b"), kid="a"),
    "no signature": GOOD.rpartition(".")[0] + ".",
    "changed": ".".join(
        [GOOD.split(".")[0], encode(claims(sub="root")), GOOD.rpartition(".")[2]]
    ),
    "crit": unsigned({"alg": "RS256", "kid": "a", "crit": ["exp"]}, claims(), b"x"),
    "other kind": unsigned({"alg": "ES256", "kid": "a"}, claims(), b"x" * 64),
    "number as kid": unsigned({"alg": "RS256", "kid": 7}, claims(), b"x"),
    "unknown alg": unsigned({"alg": "RS1", "kid": "a"}, claims(), b"x"),
    "alg a list": unsigned({"alg": ["RS256"], "kid": "a"}, claims(), b"x"),
    "no head": unsigned(b"{", claims(), b"x"),
    "no claims": unsigned({"alg": "RS256", "kid": "a"}, b"[1]", b"x"),
    "deep": unsigned({"alg": "RS256", "kid": "a"}, b"[" * 9000, b"x"),
    "deep claim": unsigned({"alg": "RS256", "kid": "a"}, b'{"a":' + b"[" * 9000, b"x"),
    "not base64": "a b.c.d",
    "dots": "..",
    "five parts": "a.b.c.d.e",
    "not ascii": "é.é.é",
    "half a character": "\ud800.b.c",
    "zero": "\0.\0.\0",
    "long": "a" * 20_000 + ".b.c",
}  # fmt: skip


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED.keys())
async def test_what_nobody_signed_proves_nothing(token: str):
    """Whatever it looks like."""
    tokens, *_ = tokens_of()

    assert isinstance(await refusal(tokens, token), InvalidToken)


@settings(max_examples=200)
@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(st.text("abcABC019-_=", max_size=20), min_size=3, max_size=3).map(".".join),
        st.builds(
            unsigned,
            st.dictionaries(
                st.sampled_from(["alg", "kid", "crit", "b64", "jwk", "x5c"]),
                st.sampled_from(["RS256", "ES256", "EdDSA", "a", 1, None, [], {}]),
            ),
            st.dictionaries(
                st.sampled_from(["iss", "exp", "aud", "sub"]),
                st.sampled_from([ISSUER.issuer, 1, None, [], "https://ml.azure.com", 1e308]),
            ),
            st.binary(max_size=300),
        ),
    )
)
def test_any_text_is_refused_in_good_order(token: str):
    """With an error that callers are told, never a fault of ours."""
    tokens, *_ = tokens_of(KEY, ec_key("e"))

    assert isinstance(asyncio.run(refusal(tokens, token)), InvalidToken)


async def test_a_key_too_short_does_not_count():
    """Anyone could make its tokens, given some time."""
    short = rsa_key("short", 1024)
    tokens, *_ = tokens_of(short)

    assert "does not publish" in (await refusal(tokens, sign(claims(), short))).public


async def test_a_key_for_encryption_does_not_count():
    """Nor one for another algorithm."""
    tokens, source, _ = tokens_of()
    source.keys = publish(KEY, use="enc") + publish(KEY, alg="RS512")

    assert isinstance(await refusal(tokens, sign(claims(), KEY)), InvalidToken)
    assert await tokens.verify(sign(claims(), KEY, "RS512"))


@pytest.mark.parametrize("has", [{"scp": "a call"}, {"scope": "call b"}, {"roles": ["call"]}])
async def test_one_of_the_permissions_is_enough(has: dict[str, Any]):
    """Wherever issuers write them."""
    tokens, *_ = tokens_of(issuer=Issuer(ISSUER.issuer, permissions=("call", "score")))

    assert await tokens.verify(sign(claims(**has), KEY))
    error = await refusal(tokens, sign(claims(scp="other"), KEY))
    assert isinstance(error, InsufficientScope)
    assert "'call' or 'score'" in error.public


async def test_a_verified_token_is_remembered_until_it_expires():
    """And not asked about again."""
    tokens, source, clock = tokens_of()
    token = sign(claims(exp=NOW + 100), KEY)
    first = await tokens.verify(token)
    source.down = True

    assert await tokens.verify(token) is first
    assert 1 == tokens.statistics().remembered
    clock.advance(161)
    assert "expired" in (await refusal(tokens, token)).public
    assert 0 == tokens.statistics().remembered


async def test_memory_of_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch):
    """The oldest goes."""
    monkeypatch.setattr("cupola.tokens.service.MOST_TOKENS", 3)
    tokens, *_ = tokens_of()
    for i in range(5):
        await tokens.verify(sign(claims(jti=i), KEY))

    assert MOST_TOKENS > 3 == tokens.statistics().remembered


async def test_a_new_key_is_followed_at_once():
    """A rotation without a pause; the old key goes on to count while it is published."""
    tokens, source, clock = tokens_of()
    await tokens.verify(sign(claims(), KEY))
    source.keys += publish(rsa_key("b"))
    clock.advance(PAUSE)

    assert await tokens.verify(sign(claims(), rsa_key("b")))
    assert await tokens.verify(sign(claims(), KEY))
    assert 2 == source.fetched


async def test_strangers_cannot_make_us_ask_the_issuer_often():
    """However many keys they invent."""
    tokens, source, clock = tokens_of()
    for _ in range(20):
        for kid in "xyz":
            assert isinstance(await refusal(tokens, sign(claims(), KEY, kid=kid)), InvalidToken)
        clock.advance(1)

    assert 2 == source.fetched


async def test_many_first_tokens_ask_once():
    """They wait for the same answer."""
    tokens, source, _ = tokens_of()
    await asyncio.gather(*[tokens.verify(sign(claims(jti=i), KEY)) for i in range(10)])

    assert 1 == source.fetched


@pytest.mark.usefixtures("leaping")
async def test_a_withdrawn_key_stops_also_for_remembered_tokens():
    """Once the keys were asked for again, which is when they have become old."""
    tokens, source, clock = tokens_of()
    token, other = sign(claims(exp=NOW + 9999), KEY), sign(claims(jti=2, exp=NOW + 9999), KEY)
    await tokens.verify(token)
    source.keys = publish(rsa_key("b"))
    clock.advance(FRESH)
    await tokens.verify(other)  # in the background it finds out
    await asyncio.sleep(0.01)  # until all of that is done

    assert "does not publish" in (await refusal(tokens, token)).public
    assert "does not publish" in (await refusal(tokens, other)).public


@pytest.mark.usefixtures("leaping")
async def test_while_the_issuer_is_down_what_is_known_counts(caplog: pytest.LogCaptureFixture):
    """For as long as it takes; logged once, counted each time."""
    tokens, source, clock = tokens_of()
    await tokens.verify(sign(claims(), KEY))
    source.down = True
    for i in range(5):
        clock.advance(FRESH)
        assert await tokens.verify(sign(claims(jti=i, exp=NOW + 10**6), KEY))
        await asyncio.sleep(0.01)

    assert 5 == tokens.statistics().failed
    assert 1 == len(caplog.records)


async def test_without_any_key_the_caller_is_told_to_wait():
    """It is nobody's fault that its token cannot be verified; later it can."""
    tokens, source, clock = tokens_of()
    source.down = True

    error = await refusal(tokens, GOOD)
    assert isinstance(error, Unavailable)
    assert error.retry_after
    assert isinstance(await refusal(tokens, GOOD), Unavailable)
    assert 1 == source.fetched
    source.down = False
    clock.advance(PAUSE)
    assert await tokens.verify(GOOD)


async def test_no_issuer_at_all():
    """Says where issuers are named."""
    tokens = Tokens(Policy(), MemoryKeySource(), FakeClock())

    assert "identity.toml" in (await refusal(tokens, GOOD)).public


async def test_a_real_issuer_over_http_with_a_rotation():
    """From its discovery document to a token signed with its next key."""
    async with local_issuer() as local:
        clock = FakeClock()
        tokens = Tokens(Policy((Issuer(local.url),)), HttpKeySource(), clock)
        local.keys = publish(KEY)
        assert await tokens.verify(sign(claims(local.url), KEY))
        local.keys = publish(ec_key("next"))
        clock.advance(PAUSE)

        assert await tokens.verify(sign(claims(local.url), ec_key("next"), "ES256"))
        assert isinstance(await refusal(tokens, sign(claims(local.url), KEY)), InvalidToken)
        assert 4 == len(local.asked)
