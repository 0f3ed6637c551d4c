"""This installation as an application sees it: the values that its settings need."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from conf.schema import Settings, Site, SiteKind

ACCESS_KEY, SECRET_KEY, PURGE_SECRET = "ACCESS_KEY", "SECRET_KEY", "PURGE_SECRET"


@dataclass(frozen=True)
class Place:
    """Where one application writes and where its readers read."""

    settings: Settings
    bucket: str
    site: Site | None
    """The site that shows the bucket; None: the default site does, as /BUCKET/KEY, or nobody."""
    assets: Site | None
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY
    show_secret: bool = False

    @property
    def endpoint(self) -> str:
        """The S3 endpoint's URL: the public one behind nginx, else the origin's own."""
        nginx = self.settings.nginx
        if nginx.s3_host:
            return f"https://{nginx.s3_host}" + ("" if nginx.https == 443 else f":{nginx.https}")
        return self.settings.edge.origin or f"http://{self.settings.origin.listen}"

    @property
    def base(self) -> str | None:
        """The public URL of the default media site, where every public bucket is /BUCKET/KEY."""
        nginx = self.settings.nginx
        taken = {site.host for site in self.settings.sites if not site.prefix}
        if free := [host for host in nginx.media_hosts if host not in taken]:
            return self._public(free[0])
        return None if nginx.s3_host else f"http://{self.settings.edge.listen}"

    @property
    def media(self) -> str | None:
        """The public URL that a key is put behind, without a slash at its end; None where nothing shows the bucket."""
        if self.site is not None:
            return self._public(self.site.host) + self.site.prefix
        return f"{self.base}/{self.bucket}" if self.base else None

    def values(self) -> dict[str, str]:
        """Everything that a block may name."""
        endpoint, media = urlsplit(self.endpoint), self.media or ""
        secret = self.site.purge_secret if self.site else self.settings.edge.purge_secret
        return {
            "endpoint": self.endpoint,
            "scheme": endpoint.scheme,
            "host": endpoint.netloc,
            "hostname": endpoint.hostname or "",
            "port": str(endpoint.port or (443 if endpoint.scheme == "https" else 80)),
            "tls": "true" if endpoint.scheme == "https" else "false",
            "yes_tls": "True" if endpoint.scheme == "https" else "False",
            "region": self.settings.origin.region,
            "bucket": self.bucket,
            "media": media,
            "media_scheme": urlsplit(media).scheme,
            "alias": media.partition("://")[2],
            "base": self.base or "",
            "assets": self._public(self.assets.host) + self.assets.prefix if self.assets else "",
            "purge_header": self.settings.edge.purge_header,
            "purge_secret": secret if secret and self.show_secret else PURGE_SECRET,
            "access_key": self.access_key,
            "secret_key": self.secret_key if self.show_secret else SECRET_KEY,
        }

    def _public(self, host: str) -> str:
        https = self.settings.nginx.https
        return f"https://{host}" + ("" if https == 443 or ":" in host else f":{https}")


def find_place(settings: Settings, app: str, default_bucket: str, bucket: str | None, site: str | None) -> Place:
    """The installation's values for an application.

    The site is the named one; else the one of the application's bucket, or of its name. Raises LookupError for a site
    that there is not.
    """
    chosen: Site | None = None
    if site is not None:
        chosen = next((each for each in settings.sites if each.name == site), None)
        if chosen is None:
            raise LookupError(f"sites has none named {site}")
    else:
        wanted = bucket or default_bucket
        shown = [each for each in settings.sites if each.bucket and not each.endpoint]
        chosen = next((each for each in shown if each.bucket == wanted), None)
        if chosen is None and bucket is None:
            chosen = next((each for each in shown if each.name == app), None)
    assets = next((each for each in settings.sites if each.kind is SiteKind.ASSETS), None)
    name = bucket or (chosen.bucket if chosen and chosen.bucket else default_bucket)
    return Place(settings, name, chosen, assets)
