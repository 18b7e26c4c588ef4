/* How a connection is kept from others: asked of the connection as it was made, whatever was
 * wanted. */
#include "connectors/sql/link.h"
#include "connectors/mysql/mysql_internal.h"
#include "connectors/report.h"

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
