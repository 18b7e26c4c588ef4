/* How a connection is kept from others: asked of the connection as it was made, whatever was
 * wanted. */
#include "connectors/sql/link.h"
#include "connectors/contract/report.h"
#include "connectors/postgres/postgres_internal.h"
#include <openssl/ssl.h>
#include <string.h>

static bool checks_name(PGconn *connection)
{
    PQconninfoOption *options = PQconninfo(connection);
    bool checks = false;
    for (const PQconninfoOption *option = options; option != NULL && option->keyword != NULL;
         option++) {
        checks = checks || (option->val != NULL && strcmp(option->keyword, "sslmode") == 0 &&
                            strcmp(option->val, "verify-full") == 0);
    }
    PQconninfoFree(options);
    return checks;
}

/* libpq verifies by whatever authorities it finds, also where sslmode does not ask for it. */
static bool checks_certificate(PGconn *connection)
{
    const SSL *tls = PQsslStruct(connection, "OpenSSL");
    return tls != NULL && (SSL_get_verify_mode(tls) & SSL_VERIFY_PEER) != 0 &&
           SSL_get_verify_result(tls) == X509_V_OK;
}

void postgres_tell_link(struct postgres_database *self, PGconn *connection)
{
    if (PQsslInUse(connection)) {
        report_link(&self->sql.base,
                    !checks_certificate(connection) ? LINK_UNVERIFIED
                    : checks_name(connection)       ? LINK_PEER_VERIFIED
                                                    : LINK_AUTHORITY_VERIFIED,
                    PQsslAttribute(connection, "protocol"), PQsslAttribute(connection, "cipher"));
    } else if (PQgssEncInUse(connection)) { /* Kerberos knows both ends */
        report_link(&self->sql.base, LINK_PEER_VERIFIED, "GSSAPI", NULL);
    } else {
        report_link(&self->sql.base, sql_link_in_clear(PQsocket(connection)), NULL, NULL);
    }
}
