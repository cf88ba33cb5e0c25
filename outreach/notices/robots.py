"""Robots that answer 200 also when they refuse: WeCom's and DingTalk's say in ``errcode`` what came of it.

Apprise 2.3 looks at the HTTP status only, so that a message over the robot's rate (WeCom: 20 a minute, errcode 45009)
or with a wrong signature (DingTalk: 310000) would pass for told. The answer's form: developer.work.weixin.qq.com
(群机器人配置说明), open.dingtalk.com (自定义机器人接入).
"""

from json import dumps
from typing import Any, cast

import requests
from apprise import NotifyBase, NotifyFormat, NotifyType
from apprise.plugins.dingtalk import NotifyDingTalk
from apprise.plugins.wecombot import NotifyWeComBot


def checked(plugin: NotifyBase) -> NotifyBase:
    """The same target; where its answers have to be read to be believed, one that reads them."""
    kind = _CHECKED.get(type(plugin))
    if kind is None:
        return plugin
    parts: dict[str, Any] = cast(Any, kind).parse_url(plugin.url(privacy=False))
    return kind(**parts | {"asset": plugin.asset})


class WeCom(NotifyWeComBot):
    """A WeCom group's robot whose answer is read."""

    def send(
        self, body: str, title: str = "", notify_type: NotifyType = NotifyType.INFO, **kwargs: Any
    ) -> bool:
        """Send one text; False when it was not taken, with the reason in the log of the call."""
        del title, notify_type, kwargs  # the title stands above the body already
        return ask(self, self.api_url, {"msgtype": "text", "text": {"content": body}})


class DingTalk(NotifyDingTalk):
    """A DingTalk group's robot whose answer is read."""

    def send(
        self,
        body: str,
        title: str = "",
        notify_type: NotifyType = NotifyType.INFO,
        body_format: NotifyFormat | None = None,
        **kwargs: Any,
    ) -> bool:
        """Send one text; False when it was not taken, with the reason in the log of the call."""
        del notify_type, body_format, kwargs
        said = {
            "msgtype": "text",
            "text": {"content": f"{title}\n{body}" if title else body},
            "at": {"atMobiles": self.targets, "isAtAll": False},
        }
        url = self.notify_url.format(token=self.token)
        if self.secret:
            timestamp, signature = cast(Any, self).get_signature()
            # Quoted already: given as parameters it would be quoted twice.
            url = f"{url}&timestamp={timestamp}&sign={signature}"
        return ask(self, url, said)


def ask(plugin: NotifyBase, url: str, said: dict[str, Any]) -> bool:
    """Post ``said`` and read the answer: True when it was taken."""
    plugin.throttle()
    try:
        answer = requests.post(
            url,
            data=dumps(said).encode(),
            headers={"User-Agent": plugin.app_id, "Content-Type": "application/json; charset=utf-8"},
            verify=plugin.verify_certificate,
            timeout=plugin.request_timeout,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        # Its text names the address, and the address is the secret.
        plugin.logger.warning("No answer: %s.", type(error).__name__)
        return False
    if answer.status_code != requests.codes.ok:
        plugin.logger.warning("HTTP %s.", answer.status_code)
        return False
    try:
        read: Any = answer.json()
    except requests.JSONDecodeError:
        read = None
    if not isinstance(read, dict) or read.get("errcode") != 0:
        code, words = (read.get("errcode"), read.get("errmsg")) if isinstance(read, dict) else ("none", "")
        plugin.logger.warning("Refused: errcode %s, %s", code, str(words)[:200])
        return False
    return True


_CHECKED: dict[type[NotifyBase], type[WeCom] | type[DingTalk]] = {
    NotifyWeComBot: WeCom,
    NotifyDingTalk: DingTalk,
}
