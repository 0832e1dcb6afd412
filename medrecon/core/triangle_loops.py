"""Compiled: where on a triangle the nearest point to a given one lies."""

from __future__ import annotations

from medrecon.core.compiled import inlined


@inlined
def dot(ax: float, ay: float, az: float, bx: float, by: float, bz: float) -> float:
    """Product of two vectors."""
    return ax * bx + ay * by + az * bz


@inlined
def foot(bb: float, bc: float, cc: float, pb: float, pc: float) -> tuple[float, float]:
    """Weights of the second and third corner in the triangle's point nearest to p.

    Parameters
    ----------
    bb, bc, cc, pb, pc : float
        Products of b, c and p: the second corner, the third and the point, all seen from
        the first corner. The triangle may be flat.

    References
    ----------
    Ericson C. Real-Time Collision Detection. 2005, 5.1.5 (the regions).
    """
    if pb <= 0 and pc <= 0:
        return 0.0, 0.0
    qb, qc = pb - bb, pc - bc
    if qb >= 0 and qc <= qb:
        return 1.0, 0.0
    rb, rc = pb - bc, pc - cc
    if rc >= 0 and rb <= rc:
        return 0.0, 1.0
    w = pb * qc - qb * pc
    if bb > 0 and w <= 0 and pb >= 0 and qb <= 0:
        return pb / bb, 0.0
    v = rb * pc - pb * rc
    if cc > 0 and v <= 0 and pc >= 0 and rc <= 0:
        return 0.0, pc / cc
    u = qb * rc - rb * qc
    if u <= 0 and qc >= qb and rb >= rc:
        length = (qc - qb) + (rb - rc)
        t = (qc - qb) / length if length > 0 else 0.0
        return 1.0 - t, t
    total = u + v + w
    if not total > 0:
        return 0.0, 0.0
    return v / total, w / total
