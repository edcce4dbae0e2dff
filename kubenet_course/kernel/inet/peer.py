"""What a host remembers of another one to limit the errors it sends there (struct inet_peer).

Tokens are ns of the virtual clock: a peer earns one ns per ns, an ICMP error costs `interval`, and no
more than a burst of them is saved (net/ipv4/icmp.c: inet_peer_xrlim_allow(), route.c: ip_error()).
What is saved is counted anew once a tick of the kernel's clock.
"""

from __future__ import annotations

from kubenet_course.sim.loop import MILLISECOND, SECOND

#: jiffies of the reference kernel: CONFIG_HZ=250.
JIFFY = 4 * MILLISECOND
BURST = 6
ERROR_COST, ERROR_BURST = SECOND, 5 * SECOND
REDIRECT_NUMBER, REDIRECT_LOAD = 9, 20 * MILLISECOND
REDIRECT_SILENCE = REDIRECT_LOAD << (REDIRECT_NUMBER + 1)


class InetPeer:
    """One other host's purse: `tokens` and `last` in ns, `redirects` sent without effect."""

    __slots__ = ("tokens", "last", "redirects")

    def __init__(self, now: int):
        self.tokens = 0
        self.last = now - 60 * SECOND
        self.redirects = 0

    def allow(self, now: int, interval: int) -> bool:
        """inet_peer_xrlim_allow(): one message per `interval` after a burst of six.

        An `interval` of 0 lets all through and leaves nothing in the purse, unless it was counted in this very tick:
        so right after ip_error() has paid from it, what is left stays.
        """
        if now // JIFFY != self.last // JIFFY:
            self._earn(now, BURST * interval)
        return self._spend(interval)

    def allow_error(self, now: int) -> bool:
        """ip_error(): the same purse pays, a second each, up to five at once."""
        self._earn(now, ERROR_BURST)
        return self._spend(ERROR_COST)

    def _earn(self, now: int, most: int) -> None:
        self.tokens = min(self.tokens + now - self.last, most)
        self.last = now

    def _spend(self, cost: int) -> bool:
        if self.tokens < cost:
            return False
        self.tokens -= cost
        return True

    def allow_redirect(self, now: int) -> bool:
        """ip_rt_send_redirect(): at most nine, with growing pauses; silence begins anew.

        It keeps its time where errors keep theirs, and empties the purse.
        """
        if now > self.last + REDIRECT_SILENCE:
            self.tokens = self.redirects = 0
        if self.redirects >= REDIRECT_NUMBER:
            self.last = now
            return False
        if self.redirects and now <= self.last + (REDIRECT_LOAD << self.redirects):
            return False
        self.last = now
        self.redirects += 1
        return True


class InetPeers(dict[int, InetPeer]):
    """By address; `of` makes what is not there."""

    def of(self, address: int, now: int) -> InetPeer:
        peer = self.get(address)
        if peer is None:
            peer = self[address] = InetPeer(now)
        return peer
