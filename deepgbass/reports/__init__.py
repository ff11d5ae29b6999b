"""What people look at: pictures, tables, pages."""
