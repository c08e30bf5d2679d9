"""Group robots of WeCom, DingTalk, Feishu and Lark, called by ourselves.

They answer 200 also when they refuse, with the reason as a number in the body. A library that looks
at the status alone would call such a message delivered, and it would be lost; so the answer is read
here. The hosts are fixed, TLS is checked, redirects are not followed, addresses are pinned.

Neighbours: `chat` reads the address and hands the letter over; `address` guards the connection.
Sources: developer.work.weixin.qq.com 99110; open.dingtalk.com custom robots; open.feishu.cn custom bots.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpcore
import orjson

from alerts.channels.channel import Outcome

HOSTS: Final[Mapping[str, str]] = {
    "wecombot": "https://qyapi.weixin.qq.com",
    "dingtalk": "https://oapi.dingtalk.com",
    "feishu": "https://open.feishu.cn",
    "lark": "https://open.larksuite.com",
}
BUSY: Final = frozenset({45009, 130101, 660026, 11232, 9499})
"""Numbers that say: too many messages, come later."""
MOST_BYTES: Final = 2_000
ANSWER: Final = 16_384


def request_of(robot: Any, kind: str, hosts: Mapping[str, str], text: str, at: datetime) -> tuple[str, bytes]:  # noqa: ANN401 - a plugin object
    """Return the address and the body for one robot, as its apprise address describes it."""
    shown = text.encode()[:MOST_BYTES].decode(errors="ignore")
    host = hosts[kind]
    if kind == "wecombot":
        body: dict[str, Any] = {"msgtype": "text", "text": {"content": shown}}
        return f"{host}/cgi-bin/webhook/send?key={quote(robot.key, safe='')}", orjson.dumps(body)
    if kind == "dingtalk":
        query = {"access_token": robot.token}
        if robot.secret:
            moment = str(int(at.timestamp() * 1000))
            digest = hmac.digest(robot.secret.encode(), f"{moment}\n{robot.secret}".encode(), hashlib.sha256)
            query |= {"timestamp": moment, "sign": base64.b64encode(digest).decode()}
        body = {"msgtype": "text", "text": {"content": shown}}
        return f"{host}/robot/send?{urlencode(query)}", orjson.dumps(body)
    body = {"msg_type": "text", "content": {"text": shown}}
    return f"{host}/open-apis/bot/v2/hook/{quote(robot.token, safe='')}", orjson.dumps(body)


def judged(response: httpcore.Response) -> Outcome:
    """Return what an answer means: delivered only if status and number both say so."""
    status = response.status
    if 300 <= status < 400:  # noqa: PLR2004 - what HTTP calls redirection
        return Outcome(succeeded=False, status=status, error="redirect")
    if not 200 <= status < 300:  # noqa: PLR2004 - what HTTP calls success
        return Outcome(succeeded=False, status=status, error=f"http_{status}", slow=status in {429, 503})
    read = b""
    for chunk in response.iter_stream():
        read += chunk
        if len(read) > ANSWER:
            return Outcome(succeeded=False, status=status, error="answer")
    try:
        answer = orjson.loads(read)
        number = int(answer.get("errcode", answer.get("code", answer.get("StatusCode"))))
    except (orjson.JSONDecodeError, AttributeError, TypeError, ValueError):
        return Outcome(succeeded=False, status=status, error="answer")
    if number == 0:
        return Outcome(succeeded=True, status=status)
    return Outcome(succeeded=False, status=status, error=f"refused_{number}"[:200], slow=number in BUSY)
