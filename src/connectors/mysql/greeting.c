/* How connections are kept from others: does a server offer TLS, known from its greeting before the
 * client library reads any of it; and what became of it, asked of the connection as it was made. */
#include "base/clock.h"
#include "connectors/contract/report.h"
#include "connectors/mysql/mysql_internal.h"
#include "connectors/sql/link.h"
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* 3 bytes length, 1 byte number, then the version of the protocol or, for a refusal, ff. */
enum { HEAD_BYTES = 5, LIMIT_BYTES = 4096, VERSION_10 = 10 };

/*
 * Waits until so many bytes lie in the socket, and leaves them there. Fewer: the peer said no more.
 * Negative: it did not in time.
 */
static ssize_t peek(int descriptor, unsigned char *bytes, int wanted, int64_t deadline_ms)
{
    enum { SLICE_MS = 250, MOMENT_MS = 2 };
    struct pollfd waiting = {.fd = descriptor, .events = POLLIN | POLLRDHUP};
    ssize_t size = 0;
    (void)setsockopt(descriptor, SOL_SOCKET, SO_RCVLOWAT, &wanted, sizeof wanted);
    while (clock_monotonic_ms() < deadline_ms) {
        if (poll(&waiting, 1, SLICE_MS) <= 0) {
            continue;
        }
        size = recv(descriptor, bytes, (size_t)wanted, MSG_PEEK | MSG_DONTWAIT);
        if (size == wanted || (waiting.revents & ~POLLIN) != 0) {
            return size > 0 ? size : 0;
        }
        (void)!poll(NULL, 0, MOMENT_MS); /* a kind of socket that does not know SO_RCVLOWAT */
    }
    return -1;
}

/* version\0, thread (4), nonce (8), 00, flags (2) */
static bool offers_tls(const unsigned char *version, const unsigned char *end)
{
    enum { FLAGS_AT = 14 };
    const unsigned char *nul = memchr(version, 0, (size_t)(end - version));
    return nul != NULL && end - nul > FLAGS_AT + 1 &&
           ((nul[FLAGS_AT] | nul[FLAGS_AT + 1] << 8) & CLIENT_SSL) != 0;
}

static enum mysql_greeting greeting_judge(int descriptor, int64_t deadline_ms)
{
    unsigned char greeting[LIMIT_BYTES];
    ssize_t size = peek(descriptor, greeting, HEAD_BYTES, deadline_ms);
    if (size < HEAD_BYTES) {
        return size < 0 ? MYSQL_GREETING_LATE : MYSQL_GREETING_FINE;
    }
    int whole = 4 + (greeting[0] | greeting[1] << 8 | greeting[2] << 16);
    if (whole >= HEAD_BYTES && greeting[4] != VERSION_10) {
        return MYSQL_GREETING_FINE;
    }
    if (whole < HEAD_BYTES || whole > LIMIT_BYTES) {
        return MYSQL_GREETING_WITHOUT_TLS;
    }
    size = peek(descriptor, greeting, whole, deadline_ms);
    if (size < whole) {
        return size < 0 ? MYSQL_GREETING_LATE : MYSQL_GREETING_FINE;
    }
    return offers_tls(greeting + HEAD_BYTES, greeting + whole) ? MYSQL_GREETING_FINE
                                                               : MYSQL_GREETING_WITHOUT_TLS;
}

enum mysql_greeting mysql_greeting_judge(int descriptor, int64_t timeout_ms)
{
    int one = 1;
    enum mysql_greeting found =
        greeting_judge(descriptor, timeout_ms > 0 ? clock_monotonic_ms() + timeout_ms : INT64_MAX);
    (void)setsockopt(descriptor, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one);
    return found;
}

/* ---------------------------------------------------------------- how a connection is kept from
 * others */

static bool checks_peer(MYSQL *connection)
{
    my_bool checks = 0;
    return mysql_get_optionv(connection, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &checks) == 0 &&
           checks != 0;
}

void mysql_tell_link(struct mysql_database *self, MYSQL *connection)
{
    enum link_security security = sql_link_in_clear(mysql_get_socket(connection));
    const char *cipher = mysql_get_ssl_cipher(connection);
    const char *protocol = NULL;
    if (cipher != NULL &&
        mariadb_get_infov(connection, MARIADB_CONNECTION_TLS_VERSION, &protocol) != 0) {
        protocol = "TLS";
    }
    if (cipher != NULL && security != LINK_LOCAL_SOCKET) {
        security = checks_peer(connection) ? LINK_PEER_VERIFIED : LINK_UNVERIFIED;
    }
    report_link(&self->sql.base, security, protocol, cipher);
}
