"""
What a network does to a run out of and into SQL servers: bytes that stop, drip, are others, at any place of the stream.
"""
import re

import strikes
import support
from striking_proxy import FAULTS, OVERSIZED, PASSING, TO_PROGRAM, TO_SERVER, StrikingProxy

URI = re.compile(r"^(mysql|postgres)://[^/]*:(\d+)/")
PLACES = 40 if support.SOAK else 4


class SqlNetwork(strikes.Engine):
    """
    Each fault at places drawn from the bytes that a run without faults sends each way, at its source and at its target.
    """

    engine_cases = 300

    def matrix(self, arguments, check, env=None):
        arguments = [*map(str, arguments)]
        cases = []
        for end, argument in enumerate(arguments):
            if URI.match(argument):
                passed = self.undisturbed(end, arguments, check, env)
                cases += [(end, fault, direction, self.random.randrange(passed[direction])) for fault in FAULTS
                          for direction in (TO_SERVER, TO_PROGRAM) for _ in range(PLACES)]
                cases += [(end, OVERSIZED, TO_PROGRAM, self.random.randrange(passed[TO_PROGRAM]))
                          for _ in range(PLACES)]
        self.each("network", cases, lambda folder, *case: self.strike(folder, case, arguments, check, env))

    def undisturbed(self, end, arguments, check, env):
        """How many bytes go each way."""
        folder = self.fresh("count")
        with StrikingProxy(self.port_of(arguments[end])) as proxy:
            self.assert_code(support.transhume("migrate", *self.through(proxy, end, arguments), cwd=folder, env=env), 0)
            passed = dict(proxy.passed)
        check(folder)
        return passed

    def port_of(self, uri):
        return int(URI.match(uri).group(2))

    def through(self, proxy, end, arguments):
        uri = arguments[end]
        through = [*arguments]
        through[end] = uri.replace(":%d/" % self.port_of(uri), ":%d/" % proxy.port, 1)
        return ["--timeout", "%ds" % (3 * min(support.PATIENCE, 4)), *through]

    def strike(self, folder, case, arguments, check, env):
        end, fault, direction, at = case
        with StrikingProxy(self.port_of(arguments[end]), URI.match(arguments[end]).group(1)) as proxy:
            proxy.strike(fault, direction, at)
            through = self.through(proxy, end, arguments)
            # The peer's kernel still answers, so that only the lack of any progress tells; and what a length promises
            # never comes.
            patience = ["--stall", "1s"] if fault in ("half open", OVERSIZED) else []
            result = support.transhume("migrate", *patience, *through, cwd=folder, env=env)
            self.entry.struck(proxy.struck)
            if fault in PASSING:
                self.assert_code(result, 0)
            elif result.code != 0:
                self.assert_clear(result, (2, 3, 5))
                proxy.cut_all()
                self.run_to_the_end(folder, through, env)
        check(folder)
