"""`from impasto.sheet import contact_sheet`: pictures side by side, captioned; needs Pillow."""

from app.sheet import Shown, contact_sheet

__all__ = ["Shown", "contact_sheet"]
