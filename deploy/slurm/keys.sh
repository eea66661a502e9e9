# shellcheck shell=bash
# Keys of a cluster of your own: source it before sbatch, and before dsketch solve.
#
#   export DSKETCH_CLUSTER=$PWD/cluster                # a folder that all nodes see
#   . deploy/slurm/keys.sh
#
# Without it Dask talks plain TCP, and every account that reaches the node's ports can run code as you.  With it scheduler, workers and
# solves talk TLS with a certificate that only your account can read (0600 in a folder of 0700), and refuse whoever shows another.
# Jobs inherit what is exported here.  Made once, good for a year: remove the folder keys to make new ones, when no cluster runs.
: "${DSKETCH_CLUSTER:?name a folder that all nodes see: export DSKETCH_CLUSTER=\$PWD/cluster}"
_keys=$DSKETCH_CLUSTER/keys
if ! [ -s "$_keys/certificate.pem" ]; then
    (
        umask 077
        mkdir -p "$_keys"
        openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=dsketch -keyout "$_keys/key.pem" -out "$_keys/new.pem" 2>/dev/null \
            && mv "$_keys/new.pem" "$_keys/certificate.pem"
    ) || echo "dsketch: keys were expected in $_keys; openssl made none. Install it, or let scheduler and workers share a private network." >&2
fi
export DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION=true
export DASK_DISTRIBUTED__COMM__TLS__CA_FILE="$_keys/certificate.pem"
export DASK_DISTRIBUTED__COMM__TLS__SCHEDULER__CERT="$_keys/certificate.pem" DASK_DISTRIBUTED__COMM__TLS__SCHEDULER__KEY="$_keys/key.pem"
export DASK_DISTRIBUTED__COMM__TLS__WORKER__CERT="$_keys/certificate.pem" DASK_DISTRIBUTED__COMM__TLS__WORKER__KEY="$_keys/key.pem"
export DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT="$_keys/certificate.pem" DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY="$_keys/key.pem"
