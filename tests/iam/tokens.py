"""Access tokens: RS256-signed JWTs with the claims of IAM.md, and the JWKS that goes with them.

The signing key is made at each start and never leaves the process. identities.py says who somebody is,
this file says what a token about him looks like.
"""
import base64
import json
import secrets

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

APIKEY = "urn:ibm:params:oauth:grant-type:apikey"
ASSUME = "urn:ibm:params:oauth:grant-type:assume"


class Mint:
    def __init__(self, issuer: str, lifetime: int):
        self.issuer, self.lifetime = issuer, lifetime
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.header = {"kid": f"standin-{secrets.token_hex(4)}", "alg": "RS256", "typ": "JWT"}

    def claims(self, subject, authn, grant: str, client_id: str, scope: str, now: float) -> dict:
        """What a token for `subject` says; `authn` is the identity that proved itself with a key."""
        return {
            **subject.claims,
            "jti": secrets.token_hex(16),
            "authn": authn.authn(),
            "account": {"valid": subject.account_valid, "bss": subject.account, "frozen": subject.frozen},
            "iat": int(now),
            "exp": int(now) + self.lifetime,
            "iss": self.issuer,
            "grant_type": grant,
            "scope": scope,
            "client_id": client_id,
            "acr": 1,
            "amr": ["pwd"],
        }

    def sign(self, payload: bytes) -> str:
        signed = f"{b64url(compact(self.header))}.{b64url(payload)}"
        return f"{signed}.{b64url(self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def read(self, token: str, now: float) -> dict | None:
        """The claims of a token this mint signed and that is still good, else None."""
        try:
            signed, signature = token.rsplit(".", 1)
            self.key.public_key().verify(unb64url(signature), signed.encode(),
                                         padding.PKCS1v15(), hashes.SHA256())
            claims = json.loads(unb64url(signed.split(".")[1]))
            return claims if claims["exp"] > now and isinstance(claims["iam_id"], str) else None
        except (ValueError, LookupError, TypeError, InvalidSignature):
            return None

    def jwks(self) -> dict:
        public = self.key.public_key().public_numbers()
        return {"keys": [{"kty": "RSA", "n": b64uint(public.n), "e": b64uint(public.e),
                          "alg": "RS256", "kid": self.header["kid"]}]}


def compact(value) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def b64uint(number: int) -> str:
    return b64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))
